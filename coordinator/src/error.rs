//! The one place where errors become responses: problem documents with a stable code.
//!
//! `detail` is text of this program, never of a caller: nothing that someone sent comes back in an error or
//! reaches a log through one.

use std::{fmt, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    error::{JsonPayloadError, PathError, QueryPayloadError},
    http::{StatusCode, header},
};
use protocol::{Code, Problem, match_rule::QueryError, username::UsernameError};

use crate::domain::{
    introductions::{IntroduceError, IntroductionOver},
    polls::PollError,
    searches::{SearchError, SearchOver},
    sessions::ClaimError,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApiError {
    code: Code,
    detail: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: None, retry_after: None }
    }

    pub(crate) fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Says when to come back: the wait with up to as much again, so that those who were turned away together
    /// don't return together.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait + jitter(wait.max(JITTER_MIN)));
        self
    }

    pub(crate) fn rate_limited(wait: Duration) -> Self {
        Self::new(Code::RateLimited).after(wait)
    }
}

/// Even the shortest wait is spread over this long.
const JITTER_MIN: Duration = Duration::from_secs(1);
/// When a table is full: as long as a search takes to make room.
const FULL_RETRY: Duration = Duration::from_secs(5);

/// A random part of a duration.
pub(crate) fn jitter(spread: Duration) -> Duration {
    spread.mul_f64(rand::random::<f64>())
}

/// `Retry-After` counts whole seconds.
pub(crate) fn retry_after_value(wait: Duration) -> String {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1).to_string()
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut problem = Problem::new(self.code);
        problem.detail = self.detail.map(str::to_owned);
        problem.version = (self.code == Code::VersionUnsupported).then_some(protocol::VERSION);
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header((header::CONTENT_TYPE, Problem::CONTENT_TYPE));
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, retry_after_value(wait)));
        }
        if self.code == Code::TokenInvalid {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        response.body(serde_json::to_string(&problem).unwrap_or_default())
    }
}

impl From<ClaimError> for ApiError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Taken => Self::new(Code::UsernameTaken),
            ClaimError::SessionInUse => {
                Self::new(Code::IdTaken).with_detail("this token's session holds another username")
            }
            ClaimError::Full => Self::rate_limited(FULL_RETRY),
        }
    }
}

impl From<PollError> for ApiError {
    fn from(error: PollError) -> Self {
        match error {
            PollError::SessionEnded => Self::new(Code::TokenInvalid),
            PollError::CursorInvalid => Self::new(Code::CursorInvalid),
            PollError::Superseded => Self::new(Code::Superseded),
            PollError::TooOften { retry_after } => Self::rate_limited(retry_after),
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::IdTaken => Self::new(Code::IdTaken),
            SearchError::Busy => Self::rate_limited(FULL_RETRY),
        }
    }
}

impl From<SearchOver> for ApiError {
    fn from(SearchOver: SearchOver) -> Self {
        Self::new(Code::SearchOver)
    }
}

impl From<IntroduceError> for ApiError {
    fn from(error: IntroduceError) -> Self {
        match error {
            IntroduceError::IdTaken => Self::new(Code::IdTaken),
            IntroduceError::TargetPending { retry_after } => Self::rate_limited(retry_after)
                .with_detail("an introduction to this username still waits for its first word"),
            IntroduceError::TooMany => {
                Self::rate_limited(FULL_RETRY).with_detail("too many introductions are pending")
            }
        }
    }
}

impl From<IntroductionOver> for ApiError {
    fn from(IntroductionOver: IntroductionOver) -> Self {
        Self::new(Code::IntroductionOver)
    }
}

impl From<UsernameError> for ApiError {
    fn from(error: UsernameError) -> Self {
        Self::new(Code::UsernameInvalid).with_detail(match error {
            UsernameError::Length => "a username has 3 to 32 characters",
            UsernameError::Character => "a username is made of letters and digits, with - _ . inside",
            UsernameError::MixedScripts => "a username's letters are of one script",
        })
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::new(Code::QueryInvalid).with_detail(match error {
            QueryError::TooShort => {
                "a query needs a word of at least 3 letters or digits (2 in Han, Kana, Hangul)"
            }
            QueryError::TooLong => "a query has at most 128 characters",
        })
    }
}

// What actix finds wrong before a handler runs.

// The framework gives errors by value.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn json_error(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let error = match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            ApiError::new(Code::BodyTooLarge)
        }
        JsonPayloadError::ContentType => ApiError::new(Code::MediaTypeUnsupported),
        // Also errors of the connection, whose caller reads no answer. The enum is open: what is new in it
        // is something that is wrong with the body.
        _ => ApiError::new(Code::RequestInvalid).with_detail("the body is not what this route takes"),
    };
    error.into()
}

pub(crate) fn path_error(_: PathError, _: &HttpRequest) -> actix_web::Error {
    ApiError::new(Code::RequestInvalid).with_detail("an id has 32 hexadecimal digits").into()
}

impl From<QueryPayloadError> for ApiError {
    fn from(_: QueryPayloadError) -> Self {
        Self::new(Code::RequestInvalid).with_detail("the query string is not what this route takes")
    }
}
