//! `peerctl start`: the daemon in the background, and not before it answers.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{Child, ExitStatus},
    time::Duration,
};

use protocol::control::Status;

use super::{own_unit, status};
use crate::{
    client::{Client, Reply},
    clock,
    error::Error,
    launch::Launch,
    log::{Log, Place},
    output::Output,
    whose::Whose,
};

/// The daemon answers before it scans its shares; what takes longer is a disk that sleeps.
const START_TIMEOUT: Duration = Duration::from_secs(20);
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Of the log, when the daemon ends at once: a sentence is at its end.
const LOG_TAIL_LINES: usize = 10;

pub(super) async fn run(
    client: &Client,
    whose: &Whose,
    arguments: &[OsString],
    output: &Output,
) -> Result<(), Error> {
    let launch = whose.launch(arguments)?;
    match client.status().await {
        Ok(reply) => {
            output.note("peer-daemon is already running");
            return status::print(&reply, output);
        }
        Err(Error::NotRunning) => own_unit::is_left_to_systemd(whose)?,
        Err(error) => return Err(error),
    }
    status::print(&start(client, &launch).await?, output)
}

/// Starts a daemon, and returns when it answers.
pub(super) async fn start(client: &Client, launch: &Launch) -> Result<Reply<Status>, Error> {
    let log = Log::at(launch.log_file()?);
    // The daemon writes its log itself; what else it has to say, such as a mistake in its arguments, goes there too.
    let (stderr, begin) = log.begin()?;
    let mut command = launch.command(client.socket())?;
    let stdout = stderr.try_clone().map_err(Error::System)?;
    let daemon = command.stdout(stdout).stderr(stderr).spawn().map_err(Error::StartFailed)?;
    until_it_answers(client, daemon, &log, begin).await
}

async fn until_it_answers(
    client: &Client,
    mut daemon: Child,
    log: &Log,
    mut begin: Place,
) -> Result<Reply<Status>, Error> {
    let deadline = clock::now() + START_TIMEOUT;
    loop {
        if let Some(status) = daemon.try_wait().map_err(Error::System)? {
            let words = log.rest(&mut begin)?;
            let last = &words[words.len().saturating_sub(LOG_TAIL_LINES)..];
            return Err(Error::DaemonEnded { status: exit_status(status), log: last.join("\n") });
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
    use super::exit_status;
    use std::{os::unix::process::ExitStatusExt as _, process::ExitStatus};

    #[test]
    fn a_daemon_that_ended_at_once_never_counts_as_started() {
        assert_eq!(exit_status(ExitStatus::from_raw(2 << 8)), 2);
        assert_eq!(exit_status(ExitStatus::from_raw(0)), 1);
        assert_eq!(exit_status(ExitStatus::from_raw(9)), 137);
    }
}
