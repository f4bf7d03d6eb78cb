//! RFC 9457 problem documents: how every part of Hearsay says no.

use serde::{Deserialize, Serialize};

/// Body of an error, `application/problem+json`. `detail` never carries a name, path, query or address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What programs act on.
    pub code: Code,
    /// The HTTP status, repeated.
    pub status: u16,
    /// The code in words.
    pub title: String,
    /// What to do about it, where the title does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The protocol version that the server speaks, where the caller's is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

impl Problem {
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    pub fn new(code: Code) -> Self {
        Self { code, status: code.status(), title: code.title().to_owned(), detail: None, version: None }
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Defines the codes as one table: variant, wire name, status, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// Stable names of everything that can go wrong in a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
            /// A code of a later version.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// Every code that a server of this version may send.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Unknown => "unknown" }
            }
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* Self::Unknown => 500 }
            }
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* Self::Unknown => "an error that this version does not know" }
            }
        }
    };
}

codes! {
    // Any server.
    RequestInvalid = "request_invalid", 400, "the request can't be read";
    RouteUnknown = "route_unknown", 404, "no such route";
    MethodNotAllowed = "method_not_allowed", 405, "this route has no such method";
    BodyTooLarge = "body_too_large", 413, "the body is too large";
    MediaTypeUnsupported = "media_type_unsupported", 415, "the body must be application/json";
    Internal = "internal", 500, "an error inside the server";

    // The coordinator.
    TokenInvalid = "token_invalid", 401, "no session has this token";
    JoinKeyWrong = "join_key_wrong", 403, "this coordinator wants another join key";
    NameTokenInvalid = "name_token_invalid", 403, "the name token does not belong to this session";
    UsernameTaken = "username_taken", 409, "the username, or one that looks like it, is taken";
    Superseded = "superseded", 409, "a newer poll of this session took over";
    IdTaken = "id_taken", 409, "the id is in use for something else";
    SearchOver = "search_over", 410, "the search is over or full";
    IntroductionOver = "introduction_over", 410, "the introduction is over";
    UsernameInvalid = "username_invalid", 422, "the username is not allowed";
    CursorInvalid = "cursor_invalid", 422, "the cursor is not one of this session";
    QueryInvalid = "query_invalid", 422, "the query is too short, too long or empty";
    AddressUnknown = "address_unknown", 422, "the caller's address can't be observed";
    PortInvalid = "port_invalid", 422, "ports under 1024 are not handed on";
    VersionUnsupported = "version_unsupported", 426, "the protocol version is not supported";
    RateLimited = "rate_limited", 429, "too many of these; wait and try again";
    Draining = "draining", 503, "the coordinator is shutting down";

    // The target, on the peer stream.
    FileNotOffered = "file_not_offered", 403, "the file is not part of this introduction";
    SourceChanged = "source_changed", 409, "the file has changed since it was offered";
    FileGone = "file_gone", 410, "the file is not there any more";

    // The daemon's control API.
    CallerRefused = "caller_refused", 403, "the control API serves its own user and no browser";
    NotConnected = "not_connected", 409, "not connected to a coordinator";
    NoCoordinator = "no_coordinator", 409, "no coordinator is configured";
    NoUsername = "no_username", 409, "no username is set";
    SearchUnknown = "search_unknown", 404, "there is no such search";
    ResultUnknown = "result_unknown", 404, "there is no such result";
    DownloadUnknown = "download_unknown", 404, "there is no such download";
    RequestUnknown = "request_unknown", 404, "no such introduction waits for your word";
    StateWrong = "state_wrong", 409, "the download is not in a state for that";
    GuiOff = "gui_off", 409, "the web page is off";
    PageRefused = "page_refused", 403, "the web page answers to nobody but itself";
    LinkInvalid = "link_invalid", 422, "the link can't be read";
    CoordinatorUnreachable = "coordinator_unreachable", 502, "the coordinator can't be reached";
    CoordinatorRefused = "coordinator_refused", 502, "the coordinator refused";
    ShareInvalid = "share_invalid", 422, "this can't be shared";
    ShareUnknown = "share_unknown", 404, "there is no such share";
    ShareConfigured = "share_configured", 409, "the share was not added at run time";
    FileNotShared = "file_not_shared", 404, "the file is not shared";
    SourceUnknown = "source_unknown", 404, "nobody who is connected offers this file";
    SettingUnknown = "setting_unknown", 404, "there is no such setting";
    SettingInvalid = "setting_invalid", 422, "the setting can't have this value";
    BlockUnknown = "block_unknown", 404, "this username is not blocked";
    BlocksFull = "blocks_full", 409, "as many usernames are blocked as can be";
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem};

    #[test]
    fn a_code_travels_under_its_name_and_a_later_one_is_understood_as_unknown() {
        for &code in Code::ALL {
            let json = serde_json::to_value(Problem::new(code)).unwrap();
            assert_eq!(json["code"], code.as_str());
            assert_eq!(json["status"], code.status());
            assert_eq!(serde_json::from_value::<Problem>(json).unwrap().code, code);
        }
        let later = r#"{"code":"of_next_year","status":418,"title":"x"}"#;
        assert_eq!(serde_json::from_str::<Problem>(later).unwrap().code, Code::Unknown);
    }
}
