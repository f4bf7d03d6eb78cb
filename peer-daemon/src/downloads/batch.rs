//! The downloads that one introduction asks for, and the changes to their records.

use protocol::{Conflict, FileId, IntroductionId};
use tokio_util::sync::CancellationToken;

use super::{
    Downloads,
    entry::{DownloadId, Entry},
    failure::Failure,
    looks::Place,
    setback::Setback,
    step::{Step, Way},
};
use crate::searches::Source;

pub(super) struct Batch {
    downloads: Downloads,
    items: Vec<Item>,
    /// What they are asked for under: that of an earlier introduction, if their source may keep a place for it.
    id: IntroductionId,
}

/// One download of a batch, for as long as its token lives: after a pause or cancel, nothing here changes its
/// record any more.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: DownloadId,
    pub(super) file: FileId,
    /// The file is the listing of a folder, which is what is wanted.
    pub(super) is_folder: bool,
    pub(super) token: CancellationToken,
}

impl Batch {
    pub(super) fn new(downloads: Downloads, items: Vec<Item>, id: IntroductionId) -> Self {
        Self { downloads, items, id }
    }

    pub(super) fn id(&self) -> IntroductionId {
        self.id
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Goes on without those that are not wanted any more, or have ended.
    pub(super) fn drop_unwanted(&mut self) {
        let mut book = self.downloads.book();
        let mut has_ended = |item: &Item| book.get_mut(item.id).is_none_or(|entry| entry.state().has_ended());
        self.items.retain(|item| !item.token.is_cancelled() && !has_ended(item));
    }

    /// Those that are still wanted.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.token.is_cancelled())
    }

    pub(super) fn files(&self) -> Vec<FileId> {
        self.wanted().map(|item| item.file).collect()
    }

    /// Changes a record, unless the download was stopped meanwhile, or has left for another source.
    pub(super) fn change<T>(&self, item: &Item, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.downloads.change_item(item, |entry| self.has(entry).then(|| change(entry))).flatten()
    }

    /// The same where it may end.
    fn settle(&self, item: &Item, change: impl FnOnce(&mut Entry)) {
        self.downloads.settle_item(item, |entry| {
            if self.has(entry) {
                change(entry);
            }
        });
    }

    fn has(&self, entry: &Entry) -> bool {
        entry.life().introduction() == Some(self.id) && entry.life().errand().is_none()
    }

    /// The keys to use are those that were learnt last.
    pub(super) fn source(&self) -> Option<Source> {
        let item = self.wanted().last()?;
        self.downloads.book().get_mut(item.id).map(|entry| entry.source_under(self.id).clone())
    }

    /// Returns once nobody wants any of them any more, or the daemon ends.
    pub(super) async fn all_cancelled(&self) {
        for item in &self.items {
            item.token.cancelled().await;
        }
    }

    /// All of it has come. Answers what is to be done where its name is taken.
    pub(super) fn begin_to_complete(&self, item: &Item) -> Result<Conflict, Failure> {
        let begun = self.change(item, |entry| {
            entry.take(Step::Verifying);
            entry.conflict
        });
        begun.ok_or(Failure::Cancelled)
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

    /// The source lets them wait.
    pub(super) fn wait_in_queue(&self, place: Place) {
        let at = self.downloads.circumstances();
        for item in &self.items {
            self.downloads.change_item(item, |entry| {
                if self.has(entry) || entry.is_asking_elsewhere(self.id) {
                    entry.wait_in_queue(&at, self.id, place);
                }
            });
        }
    }

    /// A stream is there. One that waits in another source's queue goes on with this one.
    pub(super) fn connect(&self, way: Way) {
        let at = self.downloads.circumstances();
        for item in &self.items {
            self.downloads.change_item(item, |entry| entry.go_over(&at, self.id));
        }
        self.take_all(&Step::Connected { way });
    }

    /// If it is asked for elsewhere, too, that has come to nothing: nobody waits for it.
    pub(super) fn end_elsewhere(&self) {
        let at = self.downloads.circumstances();
        for item in &self.items {
            self.downloads.change_item(item, |entry| entry.stay(&at, self.id, None));
        }
    }

    /// Notes the id that they are asked for under.
    pub(super) fn introduce(&self) {
        for item in &self.items {
            self.downloads.change_item(item, |entry| entry.introduce(self.id));
        }
    }

    /// Whether any of them will be asked for under the same id again.
    pub(super) fn is_to_go_on(&self) -> bool {
        let mut book = self.downloads.book();
        self.items.iter().any(|item| {
            book.get_mut(item.id).is_some_and(|entry| entry.life().introduction() == Some(self.id))
        })
    }

    /// Bytes of all of them that were verified: tells whether a stream brought anything.
    pub(super) fn received(&self) -> u64 {
        let mut book = self.downloads.book();
        self.items.iter().map(|item| book.get_mut(item.id).map_or(0, |entry| entry.received())).sum()
    }

    /// Something came in the way of one of them.
    pub(super) fn meet(&self, item: &Item, setback: &Setback, has_progress: bool) {
        let at = self.downloads.circumstances();
        self.downloads.change_item(item, |entry| entry.fail_elsewhere(&at, self.id, setback));
        self.settle(item, |entry| {
            let source = entry.source.clone();
            entry.live(|life, _| life.meet(&at, &source, setback.clone(), has_progress));
        });
    }

    /// Nothing can be asked while the coordinator is away. Tells whether any of them waits on.
    pub(super) fn lack_coordinator(&self, setback: &Setback) -> bool {
        let at = self.downloads.circumstances();
        for item in &self.items {
            self.settle(item, |entry| {
                entry.live(|life, _| life.lack_coordinator(&at, setback.clone()));
            });
        }
        self.is_to_go_on()
    }

    /// Each is asked for alone: one of the files is not there, and the source does not say which.
    pub(super) fn ask_one_by_one(&self) {
        for item in &self.items {
            self.change(item, Entry::ask_alone);
        }
    }

    /// Ends a download over a trouble of this machine. What was received stays, for a retry.
    pub(super) fn fail(&self, item: &Item, failure: &Failure) {
        self.settle(item, |entry| entry.live(|life, now| life.fail(now, failure.step())));
    }
}
