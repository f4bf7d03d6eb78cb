//! Wiring.

use std::process::ExitCode;

fn main() -> ExitCode {
    peer_daemon::program::run()
}
