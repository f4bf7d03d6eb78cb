//! `peerctl start`: the daemon in the background, and not before it answers.

use std::{
    ffi::OsString,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use protocol::control::Status;

use super::status;
use crate::{
    client::{Client, Reply},
    clock,
    error::Error,
    log::Log,
    output::Output,
    paths,
};

const PROGRAM: &str = "peer-daemon";
/// The daemon answers before it scans its shares; what takes longer is a disk that sleeps.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Of the log, when the daemon ends at once: a sentence is at its end.
const LOG_TAIL_LINES: usize = 10;

pub(super) async fn run(client: &Client, arguments: &[OsString], output: &Output) -> Result<(), Error> {
    if option(arguments, "--socket").is_some() {
        return Err(Error::SocketToDaemon);
    }
    match client.status().await {
        Ok(reply) => {
            output.note("peer-daemon is already running");
            return status::print(&reply, output);
        }
        Err(Error::NotRunning) => {}
        Err(error) => return Err(error),
    }
    status::print(&start(client, arguments).await?, output)
}

/// Starts a daemon, and returns when it answers.
pub(super) async fn start(client: &Client, arguments: &[OsString]) -> Result<Reply<Status>, Error> {
    let log = Log::open(&option(arguments, "--state-dir").map_or_else(paths::default_state_dir, Ok)?)?;
    let daemon = spawn(client.socket(), arguments, &log)?;
    until_it_answers(client, daemon, &log).await
}

/// The value of `--name VALUE` or `--name=VALUE` among the daemon's arguments.
fn option(arguments: &[OsString], name: &str) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == name {
            return arguments.next().map(PathBuf::from);
        }
        let value = argument.to_str().and_then(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        if let Some(value) = value {
            return Some(PathBuf::from(value));
        }
    }
    None
}

/// In a process group of its own, so that Ctrl-C in this terminal does not reach it.
fn spawn(socket: &Path, arguments: &[OsString], log: &Log) -> Result<Child, Error> {
    Command::new(paths::program_beside(PROGRAM))
        .arg("--socket")
        .arg(socket)
        .args(arguments)
        // What it writes goes to a file.
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(log.writer()?)
        .stderr(log.writer()?)
        .process_group(0)
        .spawn()
        .map_err(Error::StartFailed)
}

async fn until_it_answers(client: &Client, mut daemon: Child, log: &Log) -> Result<Reply<Status>, Error> {
    let deadline = clock::now() + START_TIMEOUT;
    loop {
        if let Some(status) = daemon.try_wait().map_err(Error::System)? {
            return Err(Error::DaemonEnded {
                status: exit_status(status),
                log: log.tail(LOG_TAIL_LINES)?.0.join("\n"),
            });
        }
        match client.status().await {
            Ok(reply) => return Ok(reply),
            Err(Error::NotRunning) => {}
            Err(error) => return Err(error),
        }
        if clock::now() >= deadline {
            return Err(Error::StartTimedOut(log.path.clone()));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// As a shell would tell it. A daemon that ends at once did not start, even if it says 0.
fn exit_status(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).ok().filter(|&code| code != 0).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::{exit_status, option};
    use std::{ffi::OsString, os::unix::process::ExitStatusExt as _, path::PathBuf, process::ExitStatus};

    #[test]
    fn an_option_is_found_in_both_spellings() {
        let arguments: Vec<OsString> = ["--share", "a", "--state-dir", "/s"].map(OsString::from).into();
        assert_eq!(option(&arguments, "--state-dir"), Some(PathBuf::from("/s")));
        assert_eq!(option(&["--state-dir=/t".into()], "--state-dir"), Some(PathBuf::from("/t")));
        assert_eq!(option(&["--state-directory=/t".into()], "--state-dir"), None);
    }

    #[test]
    fn a_daemon_that_ended_at_once_never_counts_as_started() {
        assert_eq!(exit_status(ExitStatus::from_raw(2 << 8)), 2);
        assert_eq!(exit_status(ExitStatus::from_raw(0)), 1);
        assert_eq!(exit_status(ExitStatus::from_raw(9)), 137);
    }
}
