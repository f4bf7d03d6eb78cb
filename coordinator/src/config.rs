//! What an operator can set. Defaults < file < environment < flags; an unknown key is an error with its line
//! and column, so that a misspelt limit is not silently the default.

use std::{
    env, fmt, fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU8, NonZeroU32, NonZeroUsize},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use protocol::limits;
use serde::{Deserialize, Deserializer, de};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::cli::Cli;

/// A secret is not for the command line: it comes from the file or from here.
const JOIN_KEY_VARIABLE: &str = "HEARSAY_COORDINATOR_JOIN_KEY";

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("the configuration file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration file {path}: {source}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where peers, or the proxy before them, connect.
    pub listen: Listen,
    /// Where health and metrics are served; nowhere when not set.
    pub ops_listen: Option<SocketAddr>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Which entry of `X-Forwarded-For` is the peer's, counted from the right.
    pub proxy_hops: NonZeroU8,
    /// What peers must know to connect, in a closed community.
    pub join_key: Option<Secret>,
    /// Keeps the key of name tokens over restarts.
    pub key_file: Option<PathBuf>,
    /// Where the bound addresses are written once the server listens.
    pub ready_file: Option<PathBuf>,
    pub workers: NonZeroUsize,
    pub lifetimes: Lifetimes,
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4820)),
            ops_listen: None,
            trusted_proxies: Vec::new(),
            proxy_hops: NonZeroU8::MIN,
            join_key: None,
            key_file: None,
            ready_file: None,
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Reads the file that the command line or the environment names, and puts both over it.
    pub fn load(cli: Cli) -> Result<Self, ConfigError> {
        let mut config = match &cli.config {
            Some(path) => Self::from_file(path)?,
            None => Self::default(),
        };
        config.listen = cli.listen.unwrap_or(config.listen);
        config.ops_listen = cli.ops_listen.or(config.ops_listen);
        config.key_file = cli.key_file.or(config.key_file);
        config.ready_file = cli.ready_file.or(config.ready_file);
        if !cli.trusted_proxies.is_empty() {
            config.trusted_proxies = cli.trusted_proxies;
        }
        if let Ok(join_key) = env::var(JOIN_KEY_VARIABLE) {
            config.join_key = Some(Secret(Zeroizing::new(join_key)));
        }
        Ok(config)
    }

    fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }
}

/// How long things live. Tests shorten them.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// A session lapses this long after its last poll ended: enough to lose one poll and come back.
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    /// A poll that names no wait.
    #[serde(rename = "wait_seconds", deserialize_with = "seconds")]
    pub wait: Duration,
    /// The longest wait of a poll.
    #[serde(rename = "wait_seconds_max", deserialize_with = "seconds")]
    pub wait_max: Duration,
    /// From offering a search to its end.
    #[serde(rename = "search_seconds", deserialize_with = "seconds")]
    pub search: Duration,
    /// How long anything of a search is kept after its end: 5 s, less half a second for the sweep.
    #[serde(rename = "search_grace_seconds", deserialize_with = "seconds")]
    pub search_grace: Duration,
    /// Of an introduction after its last sending.
    #[serde(rename = "introduction_seconds", deserialize_with = "seconds")]
    pub introduction: Duration,
    /// Of every other event in a mailbox.
    #[serde(rename = "event_seconds", deserialize_with = "seconds")]
    pub event: Duration,
    /// How long a name token counts.
    #[serde(rename = "name_token_seconds", deserialize_with = "seconds")]
    pub name_token: Duration,
    /// How long after the start a name token from before it outweighs a claim made without one.
    #[serde(rename = "takeover_seconds", deserialize_with = "seconds")]
    pub takeover: Duration,
    /// From the first word of the end until connections are closed: polls are answered, and `readyz` says so.
    #[serde(rename = "drain_seconds", deserialize_with = "seconds")]
    pub drain: Duration,
    /// Peers that are sent away by a drain come back within this long, spread.
    #[serde(rename = "drain_spread_seconds", deserialize_with = "seconds")]
    pub drain_spread: Duration,
    /// For a request's headers to arrive.
    #[serde(rename = "headers_seconds", deserialize_with = "seconds")]
    pub headers: Duration,
    /// A connection that carried content is closed with its first answer so long after it, at the earliest ...
    #[serde(rename = "content_connection_seconds_min", deserialize_with = "seconds")]
    pub content_connection_min: Duration,
    /// ... and at the latest; when exactly is random for each, so that not all come back at once. With the
    /// keep-alive time this is how long content stays in a connection's buffers: a minute.
    #[serde(rename = "content_connection_seconds_max", deserialize_with = "seconds")]
    pub content_connection_max: Duration,
    /// Of a connection between two requests. A proxy has to keep its own for less time, so that none of its
    /// requests meets a connection that is just being closed.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "seconds")]
    pub keep_alive: Duration,
}

impl Lifetimes {
    /// When a connection that carried content is closed. A minimum above the maximum counts as the maximum.
    pub(crate) fn content_connection(&self) -> RangeInclusive<Duration> {
        self.content_connection_min.min(self.content_connection_max)..=self.content_connection_max
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(1),
            wait: limits::WAIT_DEFAULT,
            wait_max: limits::WAIT_MAX,
            search: Duration::from_secs(10),
            search_grace: Duration::from_millis(4_500),
            introduction: Duration::from_mins(1),
            event: Duration::from_mins(1),
            name_token: Duration::from_hours(24),
            takeover: Duration::from_mins(2),
            drain: Duration::from_millis(500),
            drain_spread: Duration::from_secs(10),
            headers: Duration::from_secs(5),
            content_connection_min: Duration::from_secs(20),
            content_connection_max: Duration::from_secs(50),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// How much of everything. Each bounds memory or work that a stranger can cause.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of a request body.
    pub body_bytes: usize,
    /// Sessions at once; each costs a socket as well.
    pub sessions: usize,
    /// Open connections a worker.
    pub connections_a_worker: usize,
    /// Connections that wait to be accepted: those of a whole community that comes back at once.
    pub backlog: u32,
    pub mailbox_events: usize,
    pub mailbox_bytes: usize,
    /// Of one poll's answer.
    pub batch_bytes: usize,
    /// Searches at once, over all sessions.
    pub searches: usize,
    pub substring_results: usize,
    pub substring_results_a_peer: usize,
    pub exact_results: usize,
    /// As many as substring ones: one peer with every version of a name must not take all places of a search.
    pub exact_results_a_peer: usize,
    /// Introductions of one requester without a final word.
    pub pending_introductions: usize,
    pub searches_per_second: NonZeroU32,
    pub searches_burst: NonZeroU32,
    pub introductions_per_second: NonZeroU32,
    pub introductions_burst: NonZeroU32,
    /// Name claims from one address, those with a valid name token not counted.
    pub claims_per_minute: NonZeroU32,
    /// Introductions in which one address is handed out, so that nobody is dialled by everyone.
    pub handed_out_per_minute: NonZeroU32,
    /// Addresses, and sessions, whose rates are remembered.
    pub rate_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: limits::BODY_BYTES_MAX,
            sessions: 50_000,
            connections_a_worker: 25_000,
            backlog: 4_096,
            mailbox_events: 256,
            mailbox_bytes: 256 * 1024,
            batch_bytes: 128 * 1024,
            searches: 4_096,
            substring_results: 400,
            substring_results_a_peer: 25,
            exact_results: 100,
            exact_results_a_peer: 25,
            pending_introductions: 64,
            searches_per_second: NonZeroU32::MIN,
            searches_burst: NonZeroU32::MIN.saturating_add(4),
            introductions_per_second: NonZeroU32::MIN.saturating_add(1),
            introductions_burst: NonZeroU32::MIN.saturating_add(9),
            claims_per_minute: NonZeroU32::MIN.saturating_add(9),
            handed_out_per_minute: NonZeroU32::MIN.saturating_add(59),
            rate_keys: 50_000,
        }
    }
}

/// `ADDRESS:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("expected a path after unix:"),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| "expected ADDRESS:PORT or unix:PATH"),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A network of proxies, or whoever can open the Unix socket on which the coordinator listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxy {
    Network(IpNet),
    Unix,
}

impl FromStr for TrustedProxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self::Network).map_err(|_| "expected an address, a network such as 10.0.0.0/8, or unix")
    }
}

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Text that is not shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Seconds, whole or not.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?)
        .map_err(|_| de::Error::custom("expected a number of seconds, not negative"))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
