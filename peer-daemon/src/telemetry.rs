//! Logs: to stderr, as text. Names and addresses of other people don't belong in them.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

/// `RUST_LOG` overrules the default of one line for what a person would want to know.
pub fn init() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("peer_daemon=info,warn"));
    let _already_set = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).try_init();
}
