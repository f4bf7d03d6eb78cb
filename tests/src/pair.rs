//! The scene of most transfers: anna has something, and bert may fetch it over a slow link.

use std::path::Path;

use protocol::control::{Download, DownloadState};

use crate::{
    content::Folder,
    peer::{Peer, PeerBuilder},
    scene::Scene,
    slow_link::SlowLink,
};

pub struct Pair {
    pub scene: Scene,
    pub files: Folder,
    pub anna: Peer,
    pub bert: Peer,
    /// On the way to bert's download port.
    pub link: SlowLink,
}

impl Pair {
    /// Anna shares the files.
    pub async fn over(bytes_per_second: u32, files: Folder) -> Self {
        Self::configured(bytes_per_second, files, |anna| anna, |bert| bert).await
    }

    /// The same with more for each of them to be told.
    pub async fn configured(
        bytes_per_second: u32,
        files: Folder,
        anna: impl FnOnce(PeerBuilder) -> PeerBuilder,
        bert: impl FnOnce(PeerBuilder) -> PeerBuilder,
    ) -> Self {
        let scene = Scene::start().await;
        let anna = anna(scene.peer("anna").sharing(files.path())).connected().await;
        let link = SlowLink::start(bytes_per_second);
        let bert = bert(scene.peer("bert")).connected_behind(&link).await;
        Self { scene, files, anna, bert, link }
    }

    /// Bert fetches what a search finds, and so many pieces have come: the link stands still in the middle of the
    /// next one.
    pub async fn under_way(&self, query: &str, pieces: usize) -> Download {
        self.link.stands_still_after_pieces(pieces);
        let download = self.bert.begin(query).await;
        self.bert.wait_for_pieces(&download, pieces).await;
        download
    }

    /// What bert fetches arrives by itself, with nothing beside it, and of what was there already at most a piece for
    /// each time that it was stopped came again.
    pub async fn arrives(&self, download: &Download, stops: u64) -> Download {
        self.arrives_after(0, download, stops).await
    }

    /// The same of what was lost when so many bytes had come over the link: after those, all of it comes.
    pub async fn arrives_after(&self, passed: u64, download: &Download, stops: u64) -> Download {
        let ended = self.bert.end_of(download).await;
        assert_eq!(ended.state, DownloadState::Finished, "{ended:?}");
        let name = Path::new(&ended.path).file_name().expect("a name").to_string_lossy();
        assert_eq!(self.bert.downloaded_names(), [name], "and nothing beside it");
        self.link.has_carried(passed, ended.received, stops);
        ended
    }

    /// Asserts that all end cleanly.
    pub async fn stop(self) {
        let Self { scene, anna, bert, .. } = self;
        scene.stop_with([anna, bert]).await;
    }
}
