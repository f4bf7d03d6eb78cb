//! `peerctl` steers the `peer-daemon` from a terminal or a script, over the daemon's control API.
//!
//! A command asks the daemon through [`client`], and says what came of it through [`output`], the only place
//! that prints. Whatever went wrong is an [`error::Error`], which knows its sentence and its exit code.

mod bar;
mod cli;
mod client;
mod clock;
mod commands;
mod error;
mod format;
mod hints;
mod interrupt;
mod launch;
mod log;
mod output;
mod painter;
mod paths;
mod process;
mod progress;
mod prompt;
#[cfg(test)]
mod reference;
mod table;
mod transfer;
mod view;
mod whose;
mod width;

use std::process::ExitCode;

use crate::{cli::Cli, error::Error, output::Output};

fn main() -> ExitCode {
    if let Some(welcome) = Cli::welcome() {
        Output::for_notes().note(&welcome);
        return ExitCode::from(protocol::control::ExitCode::Usage as u8);
    }
    let cli = Cli::from_arguments();
    let output = Output::new(cli.format(), cli.whose.hints());
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(sentence) = error.sentence() {
                output.note(&sentence);
            }
            ExitCode::from(error.exit_status())
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
    runtime.block_on(commands::run(cli, output))
}
