//! The command line and its environment variables. They begin with `HEARSAY_COORDINATOR_`, for the daemon has
//! variables of its own, and one environment may serve both.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::config::{Listen, TrustedProxy};

/// Introduces peers to each other and remembers nothing.
#[derive(Debug, Default, Parser)]
#[command(version)]
pub struct Cli {
    /// Where peers, or the proxy before them, connect: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "ADDR|unix:PATH", env = "HEARSAY_COORDINATOR_LISTEN")]
    pub listen: Option<Listen>,

    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDR", env = "HEARSAY_COORDINATOR_OPS_LISTEN")]
    pub ops_listen: Option<SocketAddr>,

    /// A proxy whose X-Forwarded-For is believed; `unix` for whoever opens the Unix socket
    #[arg(
        long = "trusted-proxy",
        value_name = "CIDR",
        env = "HEARSAY_COORDINATOR_TRUSTED_PROXY",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<TrustedProxy>,

    /// A TOML file with these and all other settings
    #[arg(long, value_name = "FILE", env = "HEARSAY_COORDINATOR_CONFIG")]
    pub config: Option<PathBuf>,

    /// Keeps the key of name tokens, so that peers get their names back after a restart
    #[arg(long, value_name = "FILE", env = "HEARSAY_COORDINATOR_KEY_FILE")]
    pub key_file: Option<PathBuf>,

    /// Written once the server listens: {"listen": "…", "ops_listen": "…"}
    #[arg(long, value_name = "FILE", env = "HEARSAY_COORDINATOR_READY_FILE")]
    pub ready_file: Option<PathBuf>,
}
