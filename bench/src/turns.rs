//! curl and `peerctl get` in turns, so that both meet the same machine.

use std::{fs, path::Path};

use anyhow::{Result, ensure};
use hearsay_tests::peer::Peer;
use protocol::control::DownloadState;

use crate::{
    baseline::Baseline,
    clock::timed,
    figures::{Times, compare},
};

/// What is fetched in each turn: these files by curl, and this result by the requester.
pub(crate) struct Turn<'a> {
    pub(crate) baseline: &'a Baseline,
    pub(crate) names: &'a [String],
    pub(crate) requester: &'a Peer,
    pub(crate) result: &'a str,
}

impl Turn<'_> {
    /// Takes turns and tells the ratio. `is_whole` looks at what our side has fetched.
    pub(crate) async fn take(&self, runs: u32, is_whole: impl Fn(&Path) -> Result<bool>) -> Result<()> {
        let mut curl = Times::of("curl, HTTPS from nginx, synced");
        let mut ours = Times::of("peerctl get, verified and synced");
        for _ in 0..runs {
            let (fetched, time) = timed(self.baseline.fetch(self.names)).await;
            fetched?;
            curl.add(time);
            self.baseline.forget()?;

            let (download, time) = timed(self.requester.fetch(self.result)).await;
            ensure!(download.state == DownloadState::Finished, "{download:?}");
            ours.add(time);
            let path = Path::new(&download.path);
            ensure!(is_whole(path)?, "not all of it is there");
            let _ = self.requester.peerctl(&["rm", &download.id]).await;
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        compare(&ours, &curl);
        Ok(())
    }
}
