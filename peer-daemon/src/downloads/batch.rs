//! The downloads that one introduction asks for, and the changes to their records.

use std::time::Duration;

use protocol::{FileId, control::DownloadState};
use tokio_util::sync::CancellationToken;

use super::{
    Downloads,
    entry::{DownloadId, Entry},
    failure::Failure,
    setback::Setback,
    step::Step,
};
use crate::searches::Source;

pub(super) struct Batch {
    downloads: Downloads,
    items: Vec<Item>,
}

/// One download of a batch, for as long as its token lives: after a pause or cancel, nothing here changes its
/// record any more.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: DownloadId,
    pub(super) file: FileId,
    pub(super) token: CancellationToken,
}

impl Batch {
    pub(super) fn new(downloads: Downloads, items: Vec<Item>) -> Self {
        Self { downloads, items }
    }

    /// Those that are still wanted.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.token.is_cancelled())
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        self.items.iter().map(|item| item.file).collect()
    }

    /// Changes a record, unless the download was stopped meanwhile. The book is locked for both, and whoever
    /// stops a download cancels its token under the same lock.
    pub(super) fn change<T>(&self, item: &Item, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let changed = {
            let mut book = self.downloads.book();
            let entry = book.get_mut(item.id).filter(|_| !item.token.is_cancelled());
            entry.map(change)
        };
        self.downloads.note_change();
        changed
    }

    /// The keys to use are those that were learnt last.
    pub(super) fn source(&self) -> Option<Source> {
        let item = self.wanted().last()?;
        self.downloads.book().get_mut(item.id).map(|entry| entry.source.clone())
    }

    /// Returns once nobody wants any of them any more, or the daemon ends.
    pub(super) async fn all_cancelled(&self) {
        for item in &self.items {
            item.token.cancelled().await;
        }
    }

    /// A step that says itself where it leads.
    pub(super) fn take(&self, item: &Item, step: Step) {
        self.change(item, |entry| entry.take(step));
    }

    pub(super) fn take_all(&self, step: &Step) {
        for item in &self.items {
            self.take(item, step.clone());
        }
    }

    /// What was not reached by a stream is asked for again.
    pub(super) fn requeue(&self) {
        self.take_all(&Step::NotReached);
    }

    /// Counts it for each; answers the highest count.
    pub(super) fn count_lost_stream(&self) -> u32 {
        let counts = self.items.iter().filter_map(|item| self.change(item, Entry::count_lost_stream));
        counts.max().unwrap_or(1)
    }

    /// All wait for another try.
    pub(super) fn wait(&self, setback: &Setback, pause: Duration) {
        for item in &self.items {
            self.wait_one(item, setback, pause);
        }
    }

    pub(super) fn wait_one(&self, item: &Item, setback: &Setback, pause: Duration) {
        let step = Step::Setback(setback.clone());
        self.change(item, |entry| entry.live(|life, now| life.wait_until(now, step, now + pause)));
    }

    /// Ends a download. What was received stays, for a retry; a partial file without any is removed.
    pub(super) fn fail(&self, item: &Item, failure: &Failure) {
        if let Some((part, remains)) = self.change(item, |entry| entry.fail(failure)) {
            let downloads = self.downloads.clone();
            let left = remains.map(|remains| (remains.part, remains.inode));
            self.downloads.shared.parts.tracker.spawn(async move { downloads.discard(part, left).await });
        }
    }

    pub(super) fn fail_all(&self, failure: &Failure) {
        for item in &self.items {
            self.fail(item, failure);
        }
    }

    /// Those of them that are in this state.
    pub(super) fn only(&self, state: DownloadState) -> Self {
        let is_in = |item: &&Item| self.change(item, |entry| entry.state() == state) == Some(true);
        Self::new(self.downloads.clone(), self.items.iter().filter(is_in).cloned().collect())
    }
}
