//! The program: what its command line asks for, from the first word to the exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Cli, Command},
    config::Config,
    health,
    inherited::Inherited,
    process,
    server::Server,
    signals::Signals,
    telemetry::{self, StartError, Word},
};

/// Bad usage or configuration; clap exits with the same code.
const EXIT_USAGE: u8 = 2;
/// Files that are open besides peers' connections, with much room.
const OWN_FILES: u64 = 64;

/// The whole program; its exit code.
pub fn run() -> ExitCode {
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
        None => serve(&cli, config),
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

#[tokio::main(flavor = "current_thread")]
async fn serve(cli: &Cli, config: Config) -> ExitCode {
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
    let inherited = Inherited::take()?;
    let signals = Signals::listen()?;
    Ok((Server::bind_with(config, inherited)?, signals))
}
