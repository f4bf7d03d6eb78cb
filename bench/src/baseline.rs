//! The baseline of transfers: curl, over HTTPS from nginx.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use hearsay_tests::file_server::FileServer;
use tempfile::TempDir;

/// nginx that serves a folder.
pub(crate) struct Baseline {
    server: FileServer,
    fetched: TempDir,
}

impl Baseline {
    pub(crate) async fn serving(folder: &Path) -> Result<Self> {
        let fetched = TempDir::with_prefix("hearsay-bench-")?;
        Ok(Self { server: FileServer::of(folder).await, fetched })
    }

    /// Fetches files one after the other over one connection, and syncs them; removes what an earlier turn
    /// fetched before.
    pub(crate) async fn fetch(&self, names: &[String]) -> Result<()> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--http1.1", "--cacert"])
            .arg(self.server.authority());
        let targets: Vec<PathBuf> = names.iter().map(|name| self.fetched.path().join(name)).collect();
        for (name, target) in names.iter().zip(&targets) {
            curl.arg("--output").arg(target).arg(format!("{}/{name}", self.server.url()));
        }
        let mut sync = Command::new("sync");
        match &targets[..] {
            [file] => sync.arg(file),
            // Many at once, as our side does: one by one would cost it a sync each.
            _ => sync.arg("--file-system").arg(self.fetched.path()),
        };
        tokio::task::spawn_blocking(move || run(&mut curl).and_then(|()| run(&mut sync))).await?
    }

    /// Removes what was fetched, so that each turn begins alike.
    pub(crate) fn forget(&self) -> Result<()> {
        for entry in fs::read_dir(self.fetched.path())? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{program} can't be started"))?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}
