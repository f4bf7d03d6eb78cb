//! Wiring: settings, and what is asked of the program.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use coordinator::{
    cli::{Cli, Command},
    config::Config,
    health, run,
    telemetry::{self, Word},
};

/// Freed memory is zeroed: what passed through leaves no trace.
#[cfg(not(feature = "plain-alloc"))]
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Bad usage or configuration; clap exits with the same code.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init(cli.log_format);
    let config = match Config::load(&cli) {
        Ok(config) => config,
        Err(error) => {
            Word::BadConfiguration { error: &error }.say();
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match cli.command {
        None => run::run(&cli, config),
        Some(Command::Healthcheck) => match health::check(&config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(unhealthy) => {
                Word::Unhealthy { unhealthy: &unhealthy }.say();
                ExitCode::FAILURE
            }
        },
        Some(Command::PrintConfig) => {
            let text = config.to_commented_toml().unwrap_or_default();
            // Who closes the pipe has read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
    }
}
