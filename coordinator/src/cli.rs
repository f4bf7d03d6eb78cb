//! The command line and its environment variables. They begin with `HEARSAY_COORDINATOR_`, for the daemon has
//! variables of its own, and one environment may serve both.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};

use crate::{
    config::{Listen, SocketMode, TrustedProxy},
    telemetry::LogFormat,
};

/// Introduces peers to each other and remembers nothing.
#[derive(Debug, Clone, Default, Parser)]
#[command(version)]
pub struct Cli {
    /// Where peers, or the proxy before them, connect: ADDRESS:PORT or unix:PATH
    #[arg(long, global = true, value_name = "ADDR|unix:PATH", env = "HEARSAY_COORDINATOR_LISTEN")]
    pub listen: Option<Listen>,

    /// Who may connect to the Unix socket: 0660 (unless set) is this user and its group, so put the proxy's user
    /// into that group
    #[arg(long, global = true, value_name = "MODE", env = "HEARSAY_COORDINATOR_LISTEN_MODE")]
    pub listen_mode: Option<SocketMode>,

    /// Where /livez, /readyz and /metrics are served
    #[arg(long, global = true, value_name = "ADDR", env = "HEARSAY_COORDINATOR_OPS_LISTEN")]
    pub ops_listen: Option<SocketAddr>,

    /// A proxy whose X-Forwarded-For is believed; `unix` for whoever opens the Unix socket
    #[arg(
        long = "trusted-proxy",
        global = true,
        value_name = "CIDR",
        env = "HEARSAY_COORDINATOR_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<TrustedProxy>,

    /// A TOML file with these and all other settings
    #[arg(long, global = true, value_name = "FILE", env = "HEARSAY_COORDINATOR_CONFIG")]
    pub config: Option<PathBuf>,

    /// Keeps the key of name tokens, so that peers get their names back after a restart
    #[arg(long, global = true, value_name = "FILE", env = "HEARSAY_COORDINATOR_KEY_FILE")]
    pub key_file: Option<PathBuf>,

    /// Written once the server listens: {"listen": "…", "ops_listen": "…"}
    #[arg(long, global = true, value_name = "FILE", env = "HEARSAY_COORDINATOR_READY_FILE")]
    pub ready_file: Option<PathBuf>,

    /// How lines of the log on stderr are written
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        env = "HEARSAY_COORDINATOR_LOG_FORMAT"
    )]
    pub log_format: LogFormat,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Without one, the coordinator runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Ask a running coordinator's ops listener whether it takes calls: exit 0 if so, 1 if not
    Healthcheck,
    /// Print all settings in force as a commented file; secrets are left out
    PrintConfig,
}
