//! Logs: to stderr, as text. Names and addresses of other people don't belong in them.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

/// `RUST_LOG` overrules the default of one line for what a person would want to know.
pub fn init() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("peer_daemon=info,warn"));
    let is_coloured = io::stderr().is_terminal();
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_coloured);
    let _already_set = lines.with_target(false).try_init();
}
