//! The program: what its command line asks for, from the first word to the exit code.

use std::{process::ExitCode, time::Duration};

use clap::{ArgMatches, CommandFactory as _, Error, error::ErrorKind};
use protocol::control::ExitCode as Code;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Cli,
    config::Sources,
    daemon::{Daemon, StartError},
    data_dirs::DataDirs,
    inherited::{Inherited, InheritedError},
    rehearsal::{rehearse, tell_of_start},
    telemetry,
};

/// All that matters has ended by then. A thread that waits for a disk which does not answer is not waited for.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// The whole program; its exit code.
pub fn run() -> ExitCode {
    let matches = Cli::command().get_matches();
    // Before there are threads.
    let inherited = Inherited::take();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(run_in(&matches, inherited));
            runtime.shutdown_timeout(LAST_THREADS);
            code
        }
        Err(problem) => {
            telemetry::to_stderr().last_words(&problem);
            ExitCode::FAILURE
        }
    }
}

async fn run_in(matches: &ArgMatches, inherited: Result<Inherited, InheritedError>) -> ExitCode {
    let sources = Sources::gather(matches, DataDirs::from_env());
    if matches.get_flag("check_start") {
        return tell_of_start(&sources).await;
    }
    let sources = match sources {
        // The answer is for a person, so it goes out without the log's time and level.
        Err(problem) if matches.get_flag("check_config") => {
            Error::raw(ErrorKind::ValueValidation, format!("{problem}\n")).exit()
        }
        Ok(sources) => sources,
        Err(problem) => {
            telemetry::to_stderr().last_words(&problem);
            return ExitCode::from(Code::Usage as u8);
        }
    };
    match rehearse(matches, &sources).await {
        Some(code) => code,
        None => serve(sources, inherited).await,
    }
}

async fn serve(sources: Sources, inherited: Result<Inherited, InheritedError>) -> ExitCode {
    let log = match telemetry::init(sources.log().as_ref()) {
        Ok(log) => log,
        Err(problem) => {
            telemetry::to_stderr().last_words(&problem);
            return ExitCode::from(Code::Usage as u8);
        }
    };
    match run_until_told(sources, inherited).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            log.last_words(&problem);
            ExitCode::from(problem.exit_code() as u8)
        }
    }
}

async fn run_until_told(
    sources: Sources,
    inherited: Result<Inherited, InheritedError>,
) -> Result<(), StartError> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut running = std::pin::pin!(Daemon::bind(sources, inherited?)?.run_until(token.clone()));
    tokio::select! {
        result = &mut running => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    token.cancel();
    running.await
}
