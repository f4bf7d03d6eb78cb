//! The verbs, one a file.

pub(crate) mod block;
mod change;
mod completions;
pub(crate) mod config;
mod connect;
mod disconnect;
mod doctor;
mod downloads;
mod follow;
mod get;
mod gui;
mod link;
mod list;
mod logs;
mod man;
mod own_unit;
mod requests;
mod restart;
mod search;
mod setup;
pub(crate) mod share;
mod show;
mod start;
mod status;
mod stop;
mod uploads;
mod version;
mod wait;
mod warnings;
mod watch;
mod why;

use crate::{
    cli::{Cli, Command},
    client::{Change, Client},
    error::Error,
    output::Output,
};

pub(crate) async fn run(cli: Cli, output: &Output) -> Result<(), Error> {
    match cli.command {
        Command::Completions { shell } => return completions::run(shell, output),
        Command::Man { dir } => return man::run(&dir),
        _ => {}
    }
    let whose = cli.whose;
    let client = Client::new(whose.socket()?, output.hints_in_documents())?;
    let outcome = match cli.command {
        Command::Start { arguments } => start::run(&client, &whose, &arguments, output).await,
        Command::Restart { arguments } => restart::run(&client, &whose, &arguments, output).await,
        Command::Stop => stop::run(&client, output).await,
        Command::Logs { lines, follow } => logs::run(&client, &whose, lines, follow, output).await,
        Command::Status => status::run(&client, output).await,
        Command::Connect { username } => connect::run(&client, username, output).await,
        Command::Disconnect => disconnect::run(&client, output).await,
        Command::Search(search) => search::run(&client, &search, output).await,
        Command::Get { targets, conflict, detach } => {
            get::run(&client, targets, conflict, detach, output).await
        }
        Command::Wait { ids, timeout } => wait::run(&client, ids, timeout, output).await,
        Command::Downloads { watch } => downloads::run(&client, watch, output).await,
        Command::Uploads { watch } => uploads::run(&client, watch, output).await,
        Command::Show { id } => show::run(&client, &id, output).await,
        Command::Why { id } => why::run(&client, &id, output).await,
        Command::Pause(chosen) => change::run(&client, Change::Pause, chosen, output).await,
        Command::Resume(chosen) => change::run(&client, Change::Resume, chosen, output).await,
        Command::Retry(chosen) => change::run(&client, Change::Retry, chosen, output).await,
        Command::Cancel(chosen) => change::run(&client, Change::Cancel, chosen, output).await,
        Command::Rm(chosen) => change::run(&client, Change::Remove, chosen, output).await,
        Command::Requests => requests::run(&client, output).await,
        Command::Accept { ids } => requests::settle(&client, &ids, true, output).await,
        Command::Decline { ids } => requests::settle(&client, &ids, false, output).await,
        Command::Share(command) => share::run(&client, command, output).await,
        Command::Block(command) => block::run(&client, command, output).await,
        Command::Link { file } => link::run(&client, &file, output).await,
        Command::Config(command) => config::run(&client, &whose, command, output).await,
        Command::Setup => setup::run(&client, &whose, output).await,
        Command::Doctor => doctor::run(&client, &whose, output).await,
        Command::Gui { open } => gui::run(&client, open, output).await,
        Command::Version => version::run(&client, output).await,
        Command::CompleteValues { words } => completions::values::run(&words, &whose, output).await,
        Command::Completions { shell } => completions::run(shell, output),
        Command::Man { dir } => man::run(&dir),
    };
    match outcome {
        Err(error) if error.may_be_of_versions() => Err(version::explain(&client, error).await),
        outcome => outcome,
    }
}
