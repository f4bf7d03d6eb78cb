//! curl and `peerctl get` in turns, so that both meet the same machine.

use std::{fs, path::Path, time::Duration};

use anyhow::{Result, ensure};
use hearsay_tests::{
    far_link::FarLink,
    peer::{Peer, download_address},
    scene::Scene,
};
use protocol::control::DownloadState;

use crate::{
    baseline::Baseline,
    clock::timed,
    figures::{Times, compare},
};

/// A way on which every byte takes so long; none where that is no time.
pub(crate) fn far_link(delay: Duration) -> Option<FarLink> {
    (!delay.is_zero()).then(|| FarLink::start(delay))
}

/// Whom files come to over such a way.
pub(crate) async fn requester(scene: &Scene, delay: Duration) -> (Peer, Option<FarLink>) {
    let (peer, way) = (scene.peer("requester"), far_link(delay));
    let peer = match &way {
        Some(way) => peer.with_public_download_port(way.port()).connected().await,
        None => peer.connected().await,
    };
    if let Some(way) = &way {
        way.leads_to(download_address(&peer.status().await));
    }
    (peer, way)
}

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
