//! A daemon of the demo, steered through peerctl as a person or a script does it.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use protocol::{
    Root,
    control::{DownloadState, Downloads, ExitCode, Search, Status},
};
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::stage::{Stage, personal_settings};
use crate::steps::{check, quoted};

/// Tells peerctl which daemon it speaks with.
const SOCKET_VARIABLE: &str = "HEARSAY_SOCKET";

pub(super) struct Peer {
    name: String,
    socket: PathBuf,
    peerctl: PathBuf,
}

impl Peer {
    pub(super) fn new(name: &str, socket: PathBuf, peerctl: PathBuf) -> Self {
        Self { name: name.to_owned(), socket, peerctl }
    }

    /// What makes peerctl speak with this daemon, for a shell.
    pub(super) fn export(&self) -> String {
        format!("export {SOCKET_VARIABLE}={}", quoted(&self.socket.to_string_lossy()))
    }

    /// Runs peerctl as a person does: the command, what it prints and its live progress are seen.
    pub(super) async fn show(&self, arguments: &[&str]) -> Result<()> {
        self.print_command(arguments);
        let status = self.command(arguments).status().await.context("peerctl can't be started")?;
        check(status, &format!("peerctl {}", arguments.join(" ")))
    }

    pub(super) async fn search(&self, query: &str) -> Result<Search> {
        let arguments = ["search", "--json", query];
        self.print_command(&arguments);
        self.document(&arguments).await?.context("bob's daemon does not answer any more")
    }

    /// Where the finished download with this root is.
    pub(super) async fn finished_path(&self, root: Root) -> Result<PathBuf> {
        let arguments = ["downloads", "--json"];
        self.print_command(&arguments);
        let downloads: Downloads =
            self.document(&arguments).await?.context("bob's daemon does not answer any more")?;
        let is_it = |state, it: Root| state == DownloadState::Finished && it == root;
        match downloads.downloads.into_iter().find(|download| is_it(download.state, download.root)) {
            Some(download) => Ok(PathBuf::from(download.path)),
            None => bail!("peerctl was done, but no finished download has this file: please report it"),
        }
    }

    pub(super) async fn wait_until_connected(&self, stage: &mut Stage, limit: Duration) -> Result<()> {
        let what = format!("{} is connected", self.name);
        let connected = async || Ok(self.status().await?.filter(|status| status.connected).map(|_| ()));
        stage.wait_for(&what, limit, connected).await
    }

    pub(super) async fn wait_until_scanned(&self, stage: &mut Stage, limit: Duration) -> Result<()> {
        let what = format!("{}'s folder is read", self.name);
        let mut told = 0;
        let scanned = async || {
            let Some(status) = self.status().await? else { return Ok(None) };
            if status.scanning && status.shared_files > told {
                told = status.shared_files;
                println!("   {} files are read …", status.shared_files);
            }
            Ok((!status.scanning && status.shared_files > 0).then_some(()))
        };
        stage.wait_for(&what, limit, scanned).await
    }

    async fn status(&self) -> Result<Option<Status>> {
        self.document(&["status", "--json"]).await
    }

    /// The document that peerctl prints; `None` while the daemon is not there.
    async fn document<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<Option<T>> {
        let output = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await;
        let output = output.context("peerctl can't be started")?;
        if output.status.code() == Some(ExitCode::DaemonNotRunning as i32) {
            return Ok(None);
        }
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            bail!("`peerctl {}` ended with {}: {}", arguments.join(" "), output.status, reason.trim());
        }
        let document = serde_json::from_slice(&output.stdout);
        document
            .map(Some)
            .with_context(|| format!("`peerctl {}` printed another document", arguments.join(" ")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.peerctl);
        for variable in personal_settings() {
            command.env_remove(variable);
        }
        command.env(SOCKET_VARIABLE, &self.socket).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn print_command(&self, arguments: &[&str]) {
        let peerctl = self.peerctl.to_string_lossy();
        let words = std::iter::once(&*peerctl).chain(arguments.iter().copied());
        println!("   $ {}", words.map(quoted).collect::<Vec<_>>().join(" "));
    }
}
