//! The process around the server: its limits, its signals, its end.

use std::{io, process::ExitCode};

use tokio_util::sync::CancellationToken;

use crate::{
    cli::Cli,
    config::Config,
    process,
    server::Server,
    signals::Signals,
    telemetry::{StartError, Word},
};

/// Files that are open besides peers' connections, with much room.
const OWN_FILES: u64 = 64;

/// Serves until a signal says stop.
#[tokio::main(flavor = "current_thread")]
pub async fn run(cli: &Cli, config: Config) -> ExitCode {
    let (server, signals) = match start(config) {
        Ok(started) => started,
        Err(error) => {
            Word::CantStart { error: &error }.say();
            return ExitCode::FAILURE;
        }
    };
    Word::Listening { listen: server.addr(), ops_listen: server.ops_addr() }.say();
    let (reloader, stop) = (server.reloader(), CancellationToken::new());
    let (outcome, ()) = tokio::join!(server.run_until(stop.clone()), signals.obey(cli, &reloader, &stop));
    if let Err(error) = outcome {
        Word::CantServe { error: &error }.say();
        return ExitCode::FAILURE;
    }
    Word::Ended.say();
    ExitCode::SUCCESS
}

fn start(config: Config) -> Result<(Server, Signals), StartError> {
    process::forbid_core_dumps().map_err(io::Error::from)?;
    let limit = process::raise_open_files().map_err(io::Error::from)?;
    Word::OpenFiles { limit }.say();
    let wanted = config.limits.sessions as u64 + OWN_FILES;
    if let Some(limit) = limit.filter(|limit| *limit < wanted) {
        Word::FewOpenFiles { limit, wanted }.say();
    }
    let signals = Signals::listen()?;
    Ok((Server::bind(config)?, signals))
}
