//! The real peerctl: one run, its exit code and what it printed.

use std::{path::Path, process::Stdio, time::Duration};

use protocol::control::ExitCode;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::{binaries, wait::within};

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

/// Runs `peerctl --socket SOCKET ARGUMENTS…`.
pub async fn run(socket: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::from(binaries::command("peerctl"));
    command.arg("--socket").arg(socket).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let command_line = format!("peerctl {}", arguments.join(" "));
    let output = within(&command_line, RUN, command.output()).await.expect("peerctl runs");
    Output {
        code: output.status.code().unwrap_or_else(|| panic!("{command_line} was ended by {}", output.status)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command_line,
    }
}
