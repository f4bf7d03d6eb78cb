//! One download as the person sees it: its state, its progress, and why it stands where it stands.

mod elsewhere;

use std::{
    path::PathBuf,
    time::{Instant, SystemTime},
};

use protocol::{
    Conflict, FolderSummary, IntroductionId, SafeName,
    control::{Download, DownloadState},
};
use tokio_util::sync::CancellationToken;

use self::elsewhere::Elsewhere;
use super::{
    book::Wanted,
    content::{Content, Leftovers},
    disk_trouble::DiskTrouble,
    history::Change,
    life::Life,
    step::{Step, Way},
    store::{Record, Remains},
    tree::account::Tally,
};
use crate::{
    clock,
    searches::Source,
    transfer_rate::{TransferRate, eta_seconds},
};

/// A number from 1, never used again by this daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DownloadId(pub(crate) u64);

impl std::str::FromStr for DownloadId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A download's record.
#[derive(Debug)]
pub(crate) struct Entry {
    id: DownloadId,
    pub(crate) source: Source,
    /// What is done where its name is taken.
    pub(crate) conflict: Conflict,
    pub(crate) content: Content,
    /// What an earlier process left, until it was taken up.
    pub(crate) remains: Option<Remains>,
    /// Cancelled when the download is to stop; a fresh one is made when it goes on.
    pub(crate) token: CancellationToken,
    /// Its source declined the introduction of several files for one of them, and it is not known which.
    pub(crate) is_asked_alone: bool,
    life: Life,
    elsewhere: Option<Elsewhere>,
    /// Of the stream that there was last.
    way: Option<Way>,
    rate: TransferRate,
    path: PathBuf,
    /// Changes of state that are not saved yet, and whether anything is not.
    changes: Vec<Change>,
    is_unsaved: bool,
}

impl Entry {
    /// `path` is where the file is meant to be; another name may be taken when it is finished.
    pub(super) fn new(id: DownloadId, wanted: Wanted, path: PathBuf) -> Self {
        let Wanted { source, conflict, token } = wanted;
        let life = Life::begin(clock::wall());
        let tally = Tally::default();
        let record = Record { id, source, conflict, life, path, tally, changes: Vec::new() };
        let mut entry = Self::restore(record, None, token);
        entry.note_change();
        entry
    }

    /// From an earlier process. What was under way waits to go on.
    pub(crate) fn restore(record: Record, remains: Option<Remains>, token: CancellationToken) -> Self {
        let Record { id, source, conflict, life, path, tally, changes } = record;
        let verified_bits = remains.as_ref().map_or(&[][..], |remains| &remains.verified_bits);
        let content = if life.state() == DownloadState::Finished {
            Content::complete(source.file, source.folder)
        } else {
            Content::restore(source.file, source.folder, verified_bits, tally)
        };
        let mut entry = Self {
            id,
            content,
            source,
            conflict,
            remains,
            token,
            is_asked_alone: false,
            life,
            elsewhere: None,
            way: None,
            rate: TransferRate::default(),
            path,
            changes,
            is_unsaved: false,
        };
        entry.live(Life::restart);
        entry
    }

    pub(crate) fn state(&self) -> DownloadState {
        self.life.state()
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// Changes its life, and notes that where anything changed.
    pub(crate) fn live(&mut self, change: impl FnOnce(&mut Life, SystemTime) -> bool) {
        let before = self.life.state();
        if !change(&mut self.life, clock::wall()) {
            return;
        }
        if self.life.state() != before {
            self.rate = TransferRate::default();
        }
        self.note_change();
    }

    /// A step that says itself where it leads.
    pub(crate) fn take(&mut self, step: Step) {
        self.live(|life, now| life.take(now, step));
    }

    /// Bytes that were found right.
    pub(crate) fn received(&self) -> u64 {
        self.content.received()
    }

    /// It is asked for under this id, which is kept, so that a later process asks under it, too.
    pub(crate) fn introduce(&mut self, id: IntroductionId) {
        self.life.introduce(id);
        self.is_unsaved = true;
    }

    /// It is asked for without the others of its batch.
    pub(crate) fn ask_alone(&mut self) {
        self.is_asked_alone = true;
        self.live(Life::leave_batch);
    }

    /// The person does not want to wait for the next try. Tells whether there is one.
    pub(crate) fn hurry(&mut self) -> bool {
        let is_hurried = self.life.hurry(clock::wall());
        self.is_unsaved |= is_hurried;
        is_hurried
    }

    /// What it waited for is due.
    pub(crate) fn set_out(&mut self) {
        self.life.set_out();
        self.is_unsaved = true;
    }

    /// Another source, or the same with the keys that it has now.
    pub(crate) fn find(&mut self, source: Source) {
        self.change_source(source);
        self.live(Life::find);
    }

    /// Answers the earlier one. What it is, is decided by what was asked for.
    fn change_source(&mut self, source: Source) -> Source {
        let earlier = std::mem::replace(&mut self.source, source);
        (self.source.name, self.source.folder) = (earlier.name.clone(), earlier.folder);
        self.is_asked_alone = false;
        earlier
    }

    /// Waits for the disk, with what was synced until now: the partial file is opened again when it goes on.
    pub(crate) fn hold(&mut self, trouble: &DiskTrouble, remains: Option<Remains>) {
        self.token.cancel();
        self.live(|life, now| life.hold(now, trouble.to_string(), trouble.cause()));
        if let Some(remains) = remains {
            self.content.close();
            self.remains = Some(remains);
        }
    }

    /// The disk has another trouble now. Tells whether it is another one.
    pub(crate) fn retell(&mut self, trouble: &DiskTrouble) -> bool {
        let is_another = self.life.is_held() && self.life.cause() != Some(trouble.cause());
        if is_another {
            self.hold(trouble, None);
        }
        is_another
    }

    /// Goes on after the disk's trouble, with a fresh token.
    pub(crate) fn release(&mut self, token: CancellationToken) {
        self.life.release(clock::wall(), &self.source);
        self.token = token;
        self.note_change();
    }

    /// A person pauses it; what waits for the disk waits for that person from now on.
    pub(crate) fn pause(&mut self) {
        self.token.cancel();
        self.take(Step::Paused);
    }

    /// Something of what was written is gone. All of a file is to be fetched; of a folder, what is not there.
    pub(crate) fn forget_part(&mut self, remains: Option<Remains>) {
        self.remains = remains.filter(|_| self.source.folder.is_some());
        if self.remains.is_some() {
            self.content.close();
        } else {
            self.content = Content::new(self.source.file, self.source.folder);
        }
    }

    /// Bytes still to come.
    pub(crate) fn missing(&self) -> u64 {
        self.content.size().saturating_sub(self.received())
    }

    /// Whether what was written is to be looked at before anything is asked for: an earlier process wrote it, or all is
    /// there.
    pub(crate) fn has_leftovers(&self) -> bool {
        if self.content.is_open() { self.missing() == 0 } else { self.remains.is_some() }
    }

    /// What a failed download leaves on the disk in which nothing was received: to be removed.
    pub(crate) fn take_empty_part(&mut self) -> Option<Leftovers> {
        // What an earlier process left is not looked at before it is taken up: it may hold more than its record.
        let is_known = self.content.is_open() || self.remains.is_none();
        let is_empty = self.state() == DownloadState::Failed && is_known && self.received() == 0;
        is_empty.then(|| self.content.take_leftovers(self.id, &mut self.remains)).flatten()
    }

    /// Ends it; answers what was written of it, to be removed.
    pub(crate) fn cancel(&mut self) -> Option<Leftovers> {
        let leftovers = self.content.take_leftovers(self.id, &mut self.remains);
        self.content = Content::new(self.source.file, self.source.folder);
        self.life.cancel(clock::wall());
        self.note_change();
        leftovers
    }

    /// The listing of a folder has come, and tells better than the source what is in it.
    pub(crate) fn learn_listing(&mut self, summary: FolderSummary) {
        self.source.folder = Some(summary);
        self.take(Step::Listed { files: summary.files });
        self.is_unsaved = true;
    }

    pub(crate) fn finish(&mut self, path: PathBuf) {
        self.content = Content::complete(self.source.file, self.source.folder);
        self.remains = None;
        self.take(Step::Finished);
        self.path = path;
    }

    /// Goes on after a pause or an end, with a fresh token and without what was held against its source.
    pub(crate) fn go_on(&mut self, token: CancellationToken) {
        self.life.go_on(clock::wall(), &self.source);
        self.content.forgive();
        self.token = token;
        self.note_change();
    }

    /// What is to be saved, if anything changed since the last time.
    pub(crate) fn take_unsaved(&mut self) -> Option<Record> {
        if !std::mem::take(&mut self.is_unsaved) {
            return None;
        }
        Some(Record {
            id: self.id,
            source: self.source.clone(),
            conflict: self.conflict,
            life: self.life.clone(),
            path: self.path.clone(),
            tally: self.content.tally(),
            changes: std::mem::take(&mut self.changes),
        })
    }

    /// It was not saved after all.
    pub(crate) fn take_back(&mut self, record: &Record) {
        self.changes.splice(..0, record.changes.iter().cloned());
        self.is_unsaved = true;
    }

    fn note_change(&mut self) {
        self.drop_elsewhere();
        let step = self.life.step().clone();
        if let Step::Connected { way } = step {
            self.way = Some(way);
        }
        let username = step.concerns_the_source().then(|| self.source.username.clone());
        self.changes.push(Change { at: self.life.at(), state: self.life.state(), step, username });
        self.is_unsaved = true;
    }

    /// The document of the control API; measures the rate on the way.
    pub(crate) fn view(&mut self, now: Instant) -> Download {
        let (received, size) = (self.received(), self.content.size());
        let bytes_per_second = if self.state() == DownloadState::Transferring {
            self.rate.record(now, received);
            self.rate.bytes_per_second(now)
        } else {
            0
        };
        Download {
            id: self.id.0.to_string(),
            name: self.shown_name(),
            size,
            received,
            state: self.state(),
            username: self.source.username.clone(),
            root: self.source.file.root,
            path: self.path.to_string_lossy().into_owned(),
            bytes_per_second,
            eta_seconds: eta_seconds(size.saturating_sub(received), bytes_per_second),
            position: self.life.position(),
            reason: self.life.reason(clock::time_of_day),
            cause: self.life.cause(),
            route: self.way.filter(|_| self.has_stream()).map(Into::into),
            folder: self.content.progress(),
        }
    }

    fn has_stream(&self) -> bool {
        matches!(self.state(), DownloadState::Transferring | DownloadState::Verifying)
    }

    /// A finished file may have got another name than it was to have: one of that name was there.
    fn shown_name(&self) -> SafeName {
        match self.path.file_name() {
            Some(name) if self.state() == DownloadState::Finished => {
                SafeName::sanitise(&name.to_string_lossy())
            }
            _ => self.name(),
        }
    }

    pub(crate) fn name(&self) -> SafeName {
        self.source.name.clone()
    }
}
