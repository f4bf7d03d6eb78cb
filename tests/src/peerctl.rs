//! The real peerctl: one run, its exit code and what it printed.

use std::{path::Path, process::Stdio, time::Duration};

use protocol::control::ExitCode;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    binaries,
    wait::{PATIENCE, within},
};

/// The longest run of a test: a large file on a busy machine.
const RUN: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// What was run, for the report of a failed test.
    pub command_line: String,
}

impl Output {
    /// Panics unless the run ended with this code.
    #[track_caller]
    #[must_use]
    pub fn expect(self, code: ExitCode) -> Self {
        assert_eq!(self.code, code as i32, "exit code of {self:#?}");
        self
    }

    /// The document on stdout.
    #[track_caller]
    pub fn document<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no such document on stdout: {error}: {self:#?}"))
    }
}

/// A run that goes on until it is interrupted, and prints documents meanwhile.
pub struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    /// Runs `peerctl ARGUMENTS…` with this daemon and returns when the first document has come.
    pub async fn start<T: DeserializeOwned>(socket: &Path, arguments: &[&str]) -> (Self, T) {
        let mut child = command(socket, arguments).stdout(Stdio::piped()).spawn().expect("peerctl runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut watching = Self { child, lines };
        let first = watching.next().await;
        (watching, first)
    }

    pub async fn next<T: DeserializeOwned>(&mut self) -> T {
        let line = within("the next document", PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a line of text").expect("peerctl goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no such document: {error}: {line}"))
    }

    /// Ctrl-C; asserts exit 0.
    pub async fn interrupt(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("a running child");
        kill_process(pid, Signal::INT).expect("a child can be interrupted");
        let status = within("watching ends", PATIENCE, self.child.wait()).await.expect("a child ends");
        assert_eq!(status.code(), Some(0));
    }
}

fn command(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::from(binaries::command("peerctl"));
    command.env("HEARSAY_SOCKET", socket).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `peerctl ARGUMENTS…` with the daemon on this socket.
pub async fn run(socket: &Path, arguments: &[&str]) -> Output {
    let mut command = command(socket, arguments);
    let command_line = format!("peerctl {}", arguments.join(" "));
    let output = within(&command_line, RUN, command.output()).await.expect("peerctl runs");
    Output {
        code: output.status.code().unwrap_or_else(|| panic!("{command_line} was ended by {}", output.status)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command_line,
    }
}
