//! The one place where the daemon's errors become responses of the control API.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    error::{JsonPayloadError, PathError, QueryPayloadError},
    http::StatusCode,
    web::{JsonConfig, PathConfig, QueryConfig},
};
use protocol::{Code, Problem};

use crate::{
    blocks::BlockError,
    config::settings::SettingError,
    coordinator_link::{CallError, ConnectError},
    downloads::ChangeError,
    introductions::keeper::KeeperError,
    library::{LibraryError, NoLink, PreviewError, ShareError},
    searches::{SearchError, TargetError},
};

/// A body of the control API names at most some hundred results.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// An answer that is a problem. Its reader is the daemon's owner: details may name what he asked for.
#[derive(Debug)]
pub(crate) struct ControlError(Box<Problem>);

impl ControlError {
    pub(crate) fn new(code: Code, detail: impl fmt::Display) -> Self {
        let problem = Problem::new(code);
        // Sentences that stand alone elsewhere, such as in the status, begin with what is the title here.
        let detail = detail.to_string();
        let rest = detail.strip_prefix(&problem.title).and_then(|rest| rest.strip_prefix(": "));
        let detail = rest.unwrap_or(&detail).to_owned();
        Self(Box::new(problem.with_detail(detail)))
    }
}

impl From<Code> for ControlError {
    fn from(code: Code) -> Self {
        Self(Box::new(Problem::new(code)))
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.title)
    }
}

impl ResponseError for ControlError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).content_type(Problem::CONTENT_TYPE).json(&*self.0)
    }
}

impl From<ConnectError> for ControlError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::UsernameTaken => Code::UsernameTaken.into(),
            ConnectError::UsernameInvalid => Code::UsernameInvalid.into(),
            ConnectError::JoinKeyWrong => Self::new(
                Code::JoinKeyWrong,
                "set join_key or join_key_file in the configuration file and start again",
            ),
            ConnectError::VersionUnsupported { .. } => Self::new(Code::VersionUnsupported, error),
            ConnectError::RateLimited { .. } => Self::new(Code::RateLimited, error),
            ConnectError::Unreachable(reason) => {
                let on = "it is tried again in the background";
                Self::new(Code::CoordinatorUnreachable, format!("{reason}; {on}"))
            }
            ConnectError::Refused(problem) => Self::new(Code::CoordinatorRefused, problem.title),
            ConnectError::GivenUp => Self::new(Code::NotConnected, error),
        }
    }
}

impl From<CallError> for ControlError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotConnected => Code::NotConnected.into(),
            CallError::Unreachable(reason) => Self::new(Code::CoordinatorUnreachable, reason),
            CallError::RateLimited { .. } => Self::new(Code::RateLimited, error),
            CallError::Problem(problem) => Self::new(Code::CoordinatorRefused, problem.title),
        }
    }
}

impl From<SearchError> for ControlError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Query(reason) => Self::new(Code::QueryInvalid, reason),
            SearchError::Call(error) => error.into(),
        }
    }
}

impl From<TargetError> for ControlError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Malformed => Self::new(Code::RequestInvalid, error),
            TargetError::SearchUnknown => Code::SearchUnknown.into(),
            TargetError::ResultUnknown => Code::ResultUnknown.into(),
        }
    }
}

impl From<ChangeError> for ControlError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unknown => Code::DownloadUnknown.into(),
            ChangeError::TooMany => Self::new(Code::RateLimited, error),
            ChangeError::WrongState(_) => Self::new(Code::StateWrong, error),
            ChangeError::State(error) => {
                tracing::error!(%error, "a download can't be saved");
                Self::new(Code::Internal, error)
            }
        }
    }
}

impl From<KeeperError> for ControlError {
    fn from(error: KeeperError) -> Self {
        tracing::error!(%error, "the identity can't be kept");
        Self::new(Code::Internal, error)
    }
}

impl From<protocol::username::UsernameError> for ControlError {
    fn from(error: protocol::username::UsernameError) -> Self {
        Self::new(Code::UsernameInvalid, error)
    }
}

impl From<LibraryError> for ControlError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::State(error) => {
                tracing::error!(%error, "shares can't be saved");
                Self::new(Code::Internal, error)
            }
            error => Self::new(Code::ShareInvalid, error),
        }
    }
}

impl From<ShareError> for ControlError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Unusable(error) => error.into(),
            ShareError::TooMany => Self::new(Code::ShareInvalid, error),
            ShareError::Unknown => Code::ShareUnknown.into(),
            ShareError::Configured(_) => Code::ShareConfigured.into(),
        }
    }
}

impl From<PreviewError> for ControlError {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Unusable(error) => error.into(),
            PreviewError::TooLong => Self::new(Code::ShareInvalid, error),
        }
    }
}

impl From<NoLink> for ControlError {
    fn from(error: NoLink) -> Self {
        Self::new(Code::FileNotShared, error)
    }
}

impl From<SettingError> for ControlError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Unknown => Code::SettingUnknown.into(),
            SettingError::NotSettable(_) | SettingError::Invalid(_) => Self::new(Code::SettingInvalid, error),
            SettingError::Config(error) => {
                tracing::error!(%error, "the settings can't be merged");
                Self::new(Code::Internal, error)
            }
            SettingError::State(error) => {
                tracing::error!(%error, "settings can't be saved");
                Self::new(Code::Internal, error)
            }
        }
    }
}

impl From<BlockError> for ControlError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Full => Self::new(Code::BlocksFull, error),
            BlockError::Unknown => Code::BlockUnknown.into(),
            BlockError::State(error) => {
                tracing::error!(%error, "blocks can't be saved");
                Self::new(Code::Internal, error)
            }
        }
    }
}

pub(crate) async fn route_unknown() -> Result<HttpResponse, ControlError> {
    Err(Code::RouteUnknown.into())
}

pub(crate) async fn method_not_allowed() -> Result<HttpResponse, ControlError> {
    Err(Code::MethodNotAllowed.into())
}

pub(crate) fn json_config() -> JsonConfig {
    JsonConfig::default().limit(BODY_BYTES_MAX).error_handler(|error, _request| {
        let error = match error {
            JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
                Code::BodyTooLarge.into()
            }
            JsonPayloadError::ContentType => Code::MediaTypeUnsupported.into(),
            error => ControlError::new(Code::RequestInvalid, error),
        };
        error.into()
    })
}

pub(super) fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|error: QueryPayloadError, _request| {
        ControlError::new(Code::RequestInvalid, error).into()
    })
}

pub(super) fn path_config() -> PathConfig {
    PathConfig::default()
        .error_handler(|error: PathError, _request| ControlError::new(Code::RequestInvalid, error).into())
}
