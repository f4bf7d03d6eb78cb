//! Names of headers and of routes that clients and servers must spell alike.

/// Carries the caller's username, sealed by the coordinator as its `name_token`.
pub const NAME_HEADER: &str = "Hearsay-Name";
/// Names the introduction on a stream that the requester dialled (`dial_me`).
pub const INTRODUCTION_HEADER: &str = "Hearsay-Introduction";
/// ALPN of the peer stream.
pub const ALPN: &[u8] = b"hearsay/1";

/// Routes of the coordinator.
pub mod coordinator {
    pub const SESSIONS: &str = "/v1/sessions";
    pub const SESSION: &str = "/v1/session";
    pub const EVENTS: &str = "/v1/events";
    pub const SEARCH: &str = "/v1/searches/{id}";
    pub const ANSWER: &str = "/v1/searches/{id}/answer";
    pub const INTRODUCTION: &str = "/v1/introductions/{id}";
    pub const REPLY: &str = "/v1/introductions/{id}/reply";
    /// On the ops listener only.
    pub const LIVEZ: &str = "/livez";
    pub const READYZ: &str = "/readyz";
    pub const METRICS: &str = "/metrics";
}

/// Routes of the target, on the peer stream.
pub mod peer {
    pub const INTRODUCTION: &str = "/v1/introduction";
    pub const FILES: &str = "/v1/files";
}

/// Routes of the daemon's control API.
pub mod control {
    /// The fixed `Host` of the control API: a browser can't be made to send it over a Unix socket.
    pub const HOST: &str = "peer-daemon.invalid";
    pub const STATUS: &str = "/v1/status";
    pub const CONNECTION: &str = "/v1/connection";
    pub const SEARCHES: &str = "/v1/searches";
    pub const SEARCH: &str = "/v1/searches/{search}";
    pub const DOWNLOADS: &str = "/v1/downloads";
    pub const DOWNLOAD: &str = "/v1/downloads/{id}";
    pub const UPLOADS: &str = "/v1/uploads";
    pub const SHUTDOWN: &str = "/v1/shutdown";
}
