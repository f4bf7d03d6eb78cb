//! Wiring: settings, the process, signals, the server.

use std::process::ExitCode;

use clap::Parser as _;
use coordinator::{cli::Cli, config::Config, process, server::Server, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Freed memory is zeroed: what passed through leaves no trace.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Bad usage or configuration; clap exits with the same code.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    telemetry::init();
    let config = match Config::load(Cli::parse()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Err(error) = serve(config) {
        tracing::error!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn serve(config: Config) -> anyhow::Result<()> {
    process::forbid_core_dumps()?;
    let limit = process::raise_open_files()?.map_or("no limit".to_owned(), |limit| limit.to_string());
    tracing::info!("open files: {limit}");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::bind(config)?;
    tracing::info!("listening on {}", server.addr());
    if let Some(address) = server.ops_addr() {
        tracing::info!("health and metrics on {address}");
    }
    let stop = CancellationToken::new();
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stop.cancelled() => return,
        }
        tracing::info!("draining");
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(server.run_until(stop.clone()), signalled);
    outcome?;
    tracing::info!("ended");
    Ok(())
}
