//! The downloads that one introduction asks for, and the changes to their records.

use std::sync::Arc;

use protocol::{FileId, control::DownloadState, introduction::QueueReason};
use tokio_util::sync::CancellationToken;

use super::{Downloads, entry::DownloadId, failure::Failure};
use crate::searches::Source;

pub(super) struct Batch {
    downloads: Downloads,
    pub(super) files: Vec<(DownloadId, FileId)>,
}

impl Batch {
    pub(super) fn new(downloads: Downloads, files: Vec<(DownloadId, FileId)>) -> Self {
        Self { downloads, files }
    }

    /// `None` when the download has ended.
    pub(super) fn token(&self, id: DownloadId) -> Option<CancellationToken> {
        let mut book = self.downloads.book();
        book.get_mut(id).filter(|entry| !entry.state().has_ended()).map(|entry| entry.token.clone())
    }

    /// The keys to use are those that were learnt last.
    pub(super) fn source(&self) -> Option<Source> {
        let (id, _) = self.files.last()?;
        self.downloads.book().get_mut(*id).map(|entry| entry.source.clone())
    }

    /// Returns once nobody wants any of them any more, or the daemon ends.
    pub(super) async fn all_cancelled(&self) {
        for token in self.files.iter().filter_map(|(id, _)| self.token(*id)) {
            token.cancelled().await;
        }
    }

    pub(super) fn update(&self, id: DownloadId, state: DownloadState, reason: Option<&str>) {
        if let Some(entry) = self.downloads.book().get_mut(id) {
            entry.move_to(state, reason.map(str::to_owned));
        }
        self.downloads.note_change();
    }

    pub(super) fn update_all(&self, state: DownloadState, reason: Option<&str>) {
        for (id, _) in &self.files {
            self.update(*id, state, reason);
        }
    }

    pub(super) fn wait_at(&self, position: u32, reason: QueueReason) {
        for (id, _) in &self.files {
            if let Some(entry) = self.downloads.book().get_mut(*id) {
                entry.wait_at(position, queue_sentence(reason).to_owned());
            }
        }
        self.downloads.note_change();
    }

    /// What was not reached by a stream is asked for again.
    pub(super) fn requeue(&self) {
        self.update_all(DownloadState::Queued, None);
    }

    /// Counts it for each; answers the highest count.
    pub(super) fn count_lost_stream(&self) -> u32 {
        let mut book = self.downloads.book();
        let mut most = 1;
        for (id, _) in &self.files {
            if let Some(entry) = book.get_mut(*id) {
                entry.lost_streams += 1;
                most = most.max(entry.lost_streams);
            }
        }
        most
    }

    pub(super) fn fail(&self, id: DownloadId, failure: &Failure) {
        if let Some(entry) = self.downloads.book().get_mut(id) {
            entry.fail(failure);
        }
        self.downloads.note_change();
    }

    pub(super) async fn fail_all(&self, failure: &Failure) {
        for (id, _) in &self.files {
            self.fail(*id, failure);
            self.discard(*id).await;
        }
    }

    /// Removes what was written of a download that will not go on.
    pub(super) async fn discard(&self, id: DownloadId) {
        let part = self.downloads.book().get_mut(id).and_then(|entry| entry.part.take());
        if let Some(part) = part.and_then(Arc::into_inner) {
            let discarding = tokio::task::spawn_blocking(move || part.discard());
            if !matches!(discarding.await, Ok(Ok(()))) {
                tracing::warn!("a partial file could not be removed");
            }
        }
    }
}

fn queue_sentence(reason: QueueReason) -> &'static str {
    match reason {
        QueueReason::Busy => "the source is busy with another upload",
        QueueReason::Asking => "the source's owner is asked",
        QueueReason::Other => "the source lets this wait",
    }
}
