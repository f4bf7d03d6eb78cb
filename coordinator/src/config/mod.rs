//! What an operator can set. Defaults < file < environment < flags; an unknown key is an error with its line
//! and column, so that a misspelt limit is not silently the default.

mod file;
mod lifetimes;
mod limits;
mod print;
pub(crate) mod secrets;
mod settings;
mod values;

use std::{
    env,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU8, NonZeroUsize},
    path::PathBuf,
    thread,
};

pub use self::{
    file::ConfigError,
    lifetimes::Lifetimes,
    limits::Limits,
    secrets::ServiceDirs,
    values::{Listen, Secret, SocketMode, TrustedProxy},
};
use crate::{cli::Cli, client_address::ProxyRule};

/// A secret is not for the command line: it comes from the file or from here.
const JOIN_KEY_VARIABLE: &str = "HEARSAY_COORDINATOR_JOIN_KEY";

settings::settings! {
    /// Everything that an operator can set.
    pub struct Config {
        /// Where peers, or the proxy before them, connect: "ADDRESS:PORT" or "unix:PATH".
        listen: Listen = Listen::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4820));
        /// Who may connect where `listen` is a Unix socket.
        listen_mode: SocketMode = SocketMode::default();
        /// Where health and metrics are served; nowhere when not set.
        ops_listen: Option<SocketAddr> = None;
        /// Whose X-Forwarded-For is believed: addresses, networks, "unix" for whoever opens the Unix socket.
        trusted_proxies: Vec<TrustedProxy> = Vec::new();
        /// Which entry of X-Forwarded-For is the peer's, counted from the right.
        proxy_hops: NonZeroU8 = NonZeroU8::MIN;
        /// What peers must know to connect, in a closed community.
        #[serde(skip_serializing)]
        join_key: Option<Secret> = None;
        /// A file with the join key in it, for where it is not to be in this one.
        join_key_file: Option<PathBuf> = None;
        /// Keeps the key of name tokens over restarts.
        key_file: Option<PathBuf> = None;
        /// Where the bound addresses are written once the server listens.
        ready_file: Option<PathBuf> = None;
        /// Threads that answer calls.
        workers: NonZeroUsize = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        /// How long things live.
        lifetimes: Lifetimes = Lifetimes::default();
        /// How much of everything.
        limits: Limits = Limits::default();
    }
}

impl Config {
    /// Reads the file that the command line or the environment names, and puts both over it.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        let mut config = match &cli.config {
            Some(path) => file::read(path)?,
            None => Self::default(),
        };
        let given = cli.clone();
        config.listen = given.listen.unwrap_or(config.listen);
        config.listen_mode = given.listen_mode.unwrap_or(config.listen_mode);
        config.ops_listen = given.ops_listen.or(config.ops_listen);
        config.key_file = given.key_file.or(config.key_file);
        config.ready_file = given.ready_file.or(config.ready_file);
        if !given.trusted_proxies.is_empty() {
            config.trusted_proxies = given.trusted_proxies;
        }
        if let Ok(join_key) = env::var(JOIN_KEY_VARIABLE) {
            config.join_key = Some(Secret::new(join_key));
        }
        secrets::complete(&mut config, &ServiceDirs::from_env())?;
        Ok(config)
    }

    pub(crate) fn proxies(&self) -> ProxyRule<'_> {
        ProxyRule { trusted: &self.trusted_proxies, hops: usize::from(self.proxy_hops.get()) }
    }
}

#[cfg(test)]
mod tests;
