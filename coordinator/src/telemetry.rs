//! Logs to stderr, of this crate only: libraries see requests, and what they would log is not ours to choose.
//!
//! No name, query or address of a peer gets into a log because none is ever given to it: what handlers work
//! with has no log statement, and a panic is told by its place without its message.

use std::{
    io::{self, IsTerminal as _},
    panic,
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Sets the level: `error`, `warn`, `info`, `debug`, `trace` or `off`.
const LEVEL_VARIABLE: &str = "HEARSAY_COORDINATOR_LOG";

/// Starts logging. A second call in one process changes nothing.
pub fn init() {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level.unwrap_or(LevelFilter::INFO));
    let colours = io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colours).with_target(false);
    if tracing_subscriber::registry().with(own).with(lines).try_init().is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!("panicked at {}", place.as_deref().unwrap_or("an unknown place"));
        }));
    }
}
