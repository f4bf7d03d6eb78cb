//! Wiring: arguments, logs, signals.

use std::process::ExitCode;

use clap::Parser as _;
use peer_daemon::{
    cli::Cli,
    config::Config,
    daemon::{Daemon, StartError},
    data_dirs::DataDirs,
    telemetry,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::error;

/// The exit code for bad usage or configuration; clap uses the same.
const EXIT_USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    telemetry::init();
    let config = match Config::resolve(Cli::parse(), &DataDirs::from_env()) {
        Ok(config) => config,
        Err(problem) => {
            error!("{problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::from(if problem.is_configuration() { EXIT_USAGE } else { 1 })
        }
    }
}

async fn run(config: Config) -> Result<(), StartError> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let daemon = Daemon::bind(config)?;
    let running = daemon.run_until(token.clone());
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    token.cancel();
    running.await
}
