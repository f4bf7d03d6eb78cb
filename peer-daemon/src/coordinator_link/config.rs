//! What the link is told at the start, and the times it keeps. Tests shorten them.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use protocol::limits::WAIT_DEFAULT;
use reqwest::Url;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::backoff::BackoffRange;

/// Where the coordinator is and how it may be reached.
#[derive(Clone)]
pub struct LinkConfig {
    pub url: Url,
    /// For closed communities.
    pub join_key: Option<Zeroizing<String>>,
    /// Whether plain `http://` may leave this machine (`insecure_coordinator = true`).
    pub insecure: bool,
    /// PEM file of certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    pub timings: Timings,
}

impl LinkConfig {
    pub fn new(url: Url) -> Self {
        Self { url, join_key: None, insecure: false, ca: None, timings: Timings::default() }
    }
}

impl fmt::Debug for LinkConfig {
    /// Leaves out the join key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig")
            .field("url", &self.url.as_str())
            .field("insecure", &self.insecure)
            .field("ca", &self.ca)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}

/// How long the link waits, for what.
#[derive(Debug, Clone, PartialEq)]
pub struct Timings {
    /// How long a poll is parked, where the coordinator allows as much.
    pub poll_wait: Duration,
    /// Beyond its wait, a poll gets this long for its answer to arrive; then it counts as lost.
    pub poll_slack: Duration,
    /// TCP and TLS.
    pub connect_timeout: Duration,
    /// One sending of a call, to the end of the answer.
    pub attempt: Duration,
    /// A call with all its repeats and waits. A search lives 10 s, and so does the wait for a word on an
    /// introduction: later, an answer is of no use.
    pub call: Duration,
    /// Ending the session, when the daemon does; it lapses by itself where this is too short.
    pub farewell: Duration,
    /// The `name_token` is good for 24 h and renewed this often.
    pub renewal: Duration,
    /// How long a username that is taken is sought on at the daemon's start: the lease of a session of before a
    /// crash is 60 s.
    pub start_patience: Duration,
    /// Between attempts when the coordinator is out of reach.
    pub backoff: BackoffRange,
    /// Between attempts at a coordinator of another protocol version: an update takes somebody's work, and until then
    /// every attempt is in vain.
    pub other_version: BackoffRange,
    /// A connection without a request for this long is closed: its buffers held queries and names. Longer than
    /// the pause between two polls, shorter than the 10 s after which a coordinator without a proxy does.
    pub pool_idle: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            poll_wait: WAIT_DEFAULT,
            poll_slack: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            attempt: Duration::from_secs(5),
            call: Duration::from_secs(10),
            farewell: Duration::from_secs(2),
            renewal: Duration::from_hours(1),
            start_patience: Duration::from_secs(75),
            backoff: BackoffRange { first: Duration::from_millis(500), max: Duration::from_secs(30) },
            other_version: BackoffRange { first: Duration::from_mins(30), max: Duration::from_mins(30) },
            pool_idle: Duration::from_secs(8),
        }
    }
}

/// Why the link can't be started. Each sentence names the way out.
#[derive(Debug, Error)]
pub enum LinkConfigError {
    #[error("the coordinator's URL must begin with https:// (or http:// on this machine)")]
    Scheme,
    #[error("the coordinator's URL names no host")]
    Host,
    #[error("the coordinator's URL holds a user, password, query or fragment; leave them out")]
    Extras,
    #[error(
        "plain http:// would show who searches for what to everyone on the way to {0}; use https://, or set \
         insecure_coordinator = true if that is what you want"
    )]
    Plain(String),
    #[error("the certificates in {path} can't be read: {reason}")]
    Ca { path: PathBuf, reason: String },
    #[error("no HTTPS client can be set up: {0}")]
    Tls(String),
}

/// Checks the URL: HTTPS, or plain HTTP to this machine or where the person insists.
pub(crate) fn check_url(url: &Url, insecure: bool) -> Result<(), LinkConfigError> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(LinkConfigError::Host)?;
    let has_extras = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    if has_extras {
        return Err(LinkConfigError::Extras);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if insecure || is_loopback(host) => Ok(()),
        "http" => Err(LinkConfigError::Plain(host.to_owned())),
        _ => Err(LinkConfigError::Scheme),
    }
}

/// `localhost` is loopback by RFC 6761, whatever a resolver says of longer names.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{LinkConfigError, check_url};

    fn check(url: &str, insecure: bool) -> Result<(), LinkConfigError> {
        check_url(&url.parse().unwrap(), insecure)
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_the_person_insists() {
        for url in ["http://127.0.0.1:4820", "http://[::1]:4820/", "http://localhost/", "https://example.org"]
        {
            assert!(check(url, false).is_ok(), "{url} was refused");
        }
        for url in
            ["http://example.org", "http://192.168.1.2", "http://localhost.example.org", "http://[::2]"]
        {
            let refusal = check(url, false).unwrap_err();
            assert!(matches!(refusal, LinkConfigError::Plain(_)), "{url}: {refusal}");
            assert!(refusal.to_string().contains("insecure_coordinator = true"), "no way out is named");
            assert!(check(url, true).is_ok(), "{url} was refused though insisted on");
        }
    }

    #[test]
    fn other_schemes_and_extras_are_refused() {
        for url in ["ftp://example.org", "ws://127.0.0.1"] {
            assert!(matches!(check(url, true), Err(LinkConfigError::Scheme)), "{url}");
        }
        for url in
            ["https://u@example.org", "https://u:p@example.org", "https://example.org?a", "https://e.org#a"]
        {
            assert!(matches!(check(url, true), Err(LinkConfigError::Extras)), "{url}");
        }
        assert!(matches!(check("data:text/plain,x", true), Err(LinkConfigError::Host)));
    }
}
