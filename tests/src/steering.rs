//! What a person does to transfers with peerctl, and waits for how they stand.

use std::{fs, path::PathBuf, time::Duration};

use protocol::{
    control::{
        Cause, Download, DownloadState, Downloads, ExitCode, IncomingRequest, IncomingRequests, Upload,
        Uploads, Why,
    },
    paths::control,
};

use crate::{
    content::names_in,
    peer::{Peer, control_client},
    wait::{PATIENCE, RECOVERY, until},
};

/// The size of a piece in files of up to 16 GiB.
pub const PIECE: usize = 1 << 20;

impl Peer {
    /// Searches for a name, begins to fetch its only result, and leaves it to the daemon.
    pub async fn begin(&self, query: &str) -> Download {
        let found = self.search(query).await;
        assert_eq!(found.results.len(), 1, "{found:#?}");
        self.begin_result(&found.results[0].number.to_string()).await
    }

    /// Searches for a name, and begins to fetch the result of this source.
    pub async fn begin_from(&self, username: &str, query: &str) -> Download {
        let found = self.search(query).await;
        let of_source = found.results.iter().find(|result| result.username.as_str() == username);
        let result = of_source.unwrap_or_else(|| panic!("{username} has none of it: {found:#?}"));
        self.begin_result(&result.number.to_string()).await
    }

    /// Begins to fetch a result of the last search.
    pub async fn begin_result(&self, result: &str) -> Download {
        only(self.peerctl(&["--json", "get", result, "--detach"]).await.expect(ExitCode::Done).document())
    }

    /// `peerctl why`.
    pub async fn why(&self, download: &Download) -> Why {
        self.peerctl(&["--json", "why", &download.id]).await.expect(ExitCode::Done).document()
    }

    /// `peerctl pause`, `resume`, `retry`, `cancel` or `rm`.
    pub async fn change(&self, verb: &str, download: &Download) -> Download {
        only(self.peerctl(&["--json", verb, &download.id]).await.expect(ExitCode::Done).document())
    }

    /// Waits by `peerctl wait` until the download is finished.
    pub async fn finish(&self, download: &Download) -> Download {
        let ended = self.peerctl(&["--json", "wait", &download.id]).await.expect(ExitCode::Done);
        let ended = only(ended.document());
        assert_eq!((ended.state, ended.received), (DownloadState::Finished, ended.size), "{ended:?}");
        ended
    }

    /// Waits until the download has ended, however it ends; another source may have to be found for it first.
    pub async fn end_of(&self, download: &Download) -> Download {
        self.wait_for_download(download, "ends", RECOVERY, |now| now.state.has_ended()).await
    }

    /// Waits until the disk is in the download's way, which has to be for this cause.
    pub async fn held_by_the_disk(&self, download: &Download, cause: Cause) -> Download {
        let is_held = |now: &Download| now.state == DownloadState::Paused || now.state.has_ended();
        let held = self.wait_for_download(download, "waits for the disk", PATIENCE, is_held).await;
        assert_eq!((held.state, held.cause), (DownloadState::Paused, Some(cause)), "{held:?}");
        held
    }

    pub async fn uploads(&self) -> Vec<Upload> {
        self.peerctl(&["--json", "uploads"]).await.expect(ExitCode::Done).document::<Uploads>().uploads
    }

    pub async fn requests(&self) -> Vec<IncomingRequest> {
        let requests = self.peerctl(&["--json", "requests"]).await.expect(ExitCode::Done);
        requests.document::<IncomingRequests>().requests
    }

    /// Waits until the download stands as `is_it` wants it.
    pub async fn wait_for_download(
        &self,
        download: &Download,
        what: &str,
        deadline: Duration,
        is_it: impl Fn(&Download) -> bool,
    ) -> Download {
        let client = control_client(&self.socket());
        let url = format!("http://{}{}/{}", control::HOST, control::DOWNLOADS, download.id);
        until(&format!("{} {what}", download.name), deadline, async || {
            let answer = client.get(&url).send().await.ok()?;
            let now = only(answer.json().await.expect("a document of downloads"));
            Some(now).filter(&is_it)
        })
        .await
    }

    /// Waits until so many pieces have come, and some are still to come.
    pub async fn wait_for_pieces(&self, download: &Download, pieces: usize) -> Download {
        let bytes = (pieces * PIECE) as u64;
        let so_far = self
            .wait_for_download(download, "comes", PATIENCE, |download| {
                download.received >= bytes || download.state.has_ended()
            })
            .await;
        assert_eq!(so_far.state, DownloadState::Transferring, "{so_far:?}");
        so_far
    }

    /// Waits for an upload that `is_it` approves of.
    pub async fn wait_for_upload(&self, what: &str, is_it: impl Fn(&Upload) -> bool) -> Upload {
        let client = control_client(&self.socket());
        let url = format!("http://{}{}", control::HOST, control::UPLOADS);
        until(&format!("an upload {what}"), PATIENCE, async || {
            let answer = client.get(&url).send().await.ok()?;
            let Uploads { uploads, .. } = answer.json().await.expect("a document of uploads");
            uploads.into_iter().find(&is_it)
        })
        .await
    }

    /// Bytes of whole pieces in the only partial file that are as in `original`.
    pub fn right_bytes_on_disk(&self, original: &[u8]) -> u64 {
        right_bytes(original, &fs::read(self.partial_file()).expect("a readable partial file"))
    }

    fn partial_file(&self) -> PathBuf {
        let names = names_in(self.downloads_folder());
        let partial: Vec<&String> = names.iter().filter(|name| name.contains(".part")).collect();
        assert_eq!(partial.len(), 1, "{names:?}");
        self.downloaded(partial[0])
    }
}

/// Bytes of whole pieces that are as in `original`.
pub fn right_bytes(original: &[u8], there: &[u8]) -> u64 {
    let pieces = original.chunks(PIECE).zip(there.chunks(PIECE));
    pieces.filter(|(right, there)| right == there).map(|(right, _)| right.len() as u64).sum()
}

fn only(document: Downloads) -> Download {
    let mut downloads = document.downloads;
    assert_eq!(downloads.len(), 1, "{downloads:#?}");
    downloads.remove(0)
}
