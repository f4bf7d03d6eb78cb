//! The baseline of transfers: curl, over HTTPS from nginx.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use hearsay_tests::{far_link::FarLink, file_server::FileServer};
use tempfile::TempDir;

use crate::turns::far_link;

/// nginx that serves a folder.
pub(crate) struct Baseline {
    server: FileServer,
    way: Option<FarLink>,
    fetched: TempDir,
}

impl Baseline {
    /// Every byte takes this long to it, and from it.
    pub(crate) async fn serving(folder: &Path, delay: Duration) -> Result<Self> {
        let fetched = TempDir::with_prefix("hearsay-bench-")?;
        let server = FileServer::of(folder).await;
        let way = far_link(delay).inspect(|way| way.leads_to(server.address()));
        Ok(Self { server, way, fetched })
    }

    /// Fetches files one after the other over one connection, and syncs them; removes what an earlier turn
    /// fetched before.
    pub(crate) async fn fetch(&self, names: &[String]) -> Result<()> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--http1.1", "--cacert"])
            .arg(self.server.authority());
        let targets: Vec<PathBuf> = names.iter().map(|name| self.fetched.path().join(name)).collect();
        let port = self.way.as_ref().map_or(self.server.address().port(), FarLink::port);
        let url = self.server.url_by(port);
        for (name, target) in names.iter().zip(&targets) {
            curl.arg("--output").arg(target).arg(format!("{url}/{name}"));
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
