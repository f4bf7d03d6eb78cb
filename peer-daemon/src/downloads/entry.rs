//! One download as the person sees it: its state, its progress, and why it stands where it stands.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use protocol::{
    ReplyKey, SafeName, Username,
    control::{Cause, Download, DownloadState},
};
use tokio_util::sync::CancellationToken;

use super::{
    assemble::PartFile,
    disk_trouble::DiskTrouble,
    failure::Failure,
    plan::Plan,
    store::{Change, Record, Remains},
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

/// The pieces of a download, shared by its record and its fetcher.
pub(crate) type SharedPlan = Arc<Mutex<Plan>>;

/// A download's record.
#[derive(Debug)]
pub(crate) struct Entry {
    id: DownloadId,
    pub(crate) source: Source,
    pub(crate) plan: SharedPlan,
    /// What was written so far; opened with the first stream of this process.
    pub(crate) part: Option<Arc<PartFile>>,
    /// What an earlier process left, until it was taken up.
    pub(crate) remains: Option<Remains>,
    /// Cancelled when the download is to stop; a fresh one is made when it goes on.
    pub(crate) token: CancellationToken,
    /// Sources that gave no word, by username and the key that was sealed to.
    pub(crate) gone: HashSet<(Username, ReplyKey)>,
    /// Streams that broke off so far, for the limit of tries.
    pub(crate) lost_streams: u32,
    state: DownloadState,
    position: Option<u32>,
    reason: Option<String>,
    cause: Option<Cause>,
    rate: TransferRate,
    path: PathBuf,
    /// Changes of state that are not saved yet, and whether anything is not.
    changes: Vec<Change>,
    is_unsaved: bool,
}

impl Entry {
    /// `path` is where the file is meant to be; another name may be taken when it is finished.
    pub(crate) fn new(id: DownloadId, source: Source, path: PathBuf, token: CancellationToken) -> Self {
        let record = Record {
            id,
            source,
            state: DownloadState::Queued,
            reason: None,
            cause: None,
            path,
            lost_streams: 0,
            changes: Vec::new(),
        };
        let mut entry = Self::restore(record, None, token);
        entry.note_change();
        entry
    }

    /// From an earlier process. What was under way waits to go on.
    pub(crate) fn restore(record: Record, remains: Option<Remains>, token: CancellationToken) -> Self {
        let Record { id, source, state, reason, cause, path, lost_streams, changes } = record;
        let verified_bits = remains.as_ref().map_or(&[][..], |remains| &remains.verified_bits);
        let plan = if state == DownloadState::Finished {
            Plan::complete(source.file)
        } else {
            Plan::restore(source.file, verified_bits)
        };
        let mut entry = Self {
            id,
            plan: Arc::new(Mutex::new(plan)),
            source,
            part: None,
            remains,
            token,
            gone: HashSet::new(),
            lost_streams,
            state,
            position: None,
            reason,
            cause,
            rate: TransferRate::default(),
            path,
            changes,
            is_unsaved: false,
        };
        if !state.has_ended() && state != DownloadState::Paused && state != DownloadState::Queued {
            entry.move_to(DownloadState::Queued, Some("the daemon was started again".to_owned()));
        }
        entry
    }

    pub(crate) fn state(&self) -> DownloadState {
        self.state
    }

    /// Moves to another state, with the reason why it is there. An ended download stays as it ended.
    pub(crate) fn move_to(&mut self, state: DownloadState, reason: Option<String>) {
        if self.state.has_ended() || (state, &reason, None) == (self.state, &self.reason, self.position) {
            return;
        }
        if state != self.state {
            self.rate = TransferRate::default();
        }
        (self.state, self.reason, self.position) = (state, reason, None);
        self.note_change();
    }

    /// Waits in the source's queue.
    pub(crate) fn wait_at(&mut self, position: u32, reason: String) {
        self.move_to(DownloadState::Waiting, Some(reason));
        self.position = Some(position);
    }

    /// Waits for the disk, with what was synced until now: the partial file is opened again when it goes on.
    pub(crate) fn hold(&mut self, trouble: &DiskTrouble, remains: Option<Remains>) {
        self.token.cancel();
        self.move_to(DownloadState::Paused, Some(trouble.to_string()));
        self.cause = Some(trouble.cause());
        if let Some(remains) = remains {
            (self.part, self.remains) = (None, Some(remains));
        }
    }

    /// Waits for the disk, and so goes on by itself, other than one that a person has paused.
    pub(crate) fn is_held(&self) -> bool {
        self.state == DownloadState::Paused && self.cause.is_some()
    }

    /// The disk has another trouble now. Tells whether it is another one.
    pub(crate) fn retell(&mut self, trouble: &DiskTrouble) -> bool {
        let is_another = self.is_held() && self.cause != Some(trouble.cause());
        if is_another {
            self.hold(trouble, None);
        }
        is_another
    }

    /// A person pauses it; what waits for the disk waits for that person from now on.
    pub(crate) fn pause(&mut self) {
        self.token.cancel();
        self.move_to(DownloadState::Paused, None);
        self.cause = None;
    }

    /// Its partial file is gone: all of it is to be fetched.
    pub(crate) fn forget_part(&mut self) {
        (self.part, self.remains) = (None, None);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Plan::new(self.source.file);
    }

    /// Bytes still to come.
    pub(crate) fn missing(&self) -> u64 {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).missing()
    }

    /// Ends it; answers a partial file in which nothing was received, to be removed.
    pub(crate) fn fail(&mut self, failure: &Failure) -> (Option<Arc<PartFile>>, Option<Remains>) {
        self.move_to(DownloadState::Failed, Some(failure.to_string()));
        self.cause = Some(failure.cause());
        let received = self.plan.lock().unwrap_or_else(PoisonError::into_inner).received();
        // What an earlier process left is not looked at before it is taken up: it may hold more than its record.
        let is_known = self.part.is_some() || self.remains.is_none();
        if is_known && received == 0 { (self.part.take(), self.remains.take()) } else { (None, None) }
    }

    /// Ends it; answers what was written of it, to be removed.
    pub(crate) fn cancel(&mut self) -> (Option<Arc<PartFile>>, Option<Remains>) {
        self.state = DownloadState::Cancelled;
        (self.reason, self.cause, self.position) = (None, None, None);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Plan::new(self.source.file);
        self.note_change();
        (self.part.take(), self.remains.take())
    }

    pub(crate) fn finish(&mut self, path: PathBuf) {
        self.move_to(DownloadState::Finished, None);
        self.path = path;
    }

    /// Goes on after a pause or an end, with a fresh token and without what was held against its source.
    pub(crate) fn go_on(&mut self, token: CancellationToken) {
        self.state = DownloadState::Queued;
        (self.reason, self.cause, self.position) = (None, None, None);
        (self.token, self.lost_streams) = (token, 0);
        self.gone.clear();
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
            state: self.state,
            reason: self.reason.clone(),
            cause: self.cause,
            path: self.path.clone(),
            lost_streams: self.lost_streams,
            changes: std::mem::take(&mut self.changes),
        })
    }

    fn note_change(&mut self) {
        let (state, reason) = (self.state, self.reason.clone());
        self.changes.push(Change { at: clock::wall(), state, reason });
        self.is_unsaved = true;
    }

    /// The document of the control API; measures the rate on the way.
    pub(crate) fn view(&mut self, now: Instant) -> Download {
        let received = self.plan.lock().unwrap_or_else(PoisonError::into_inner).received();
        let size = self.source.file.size;
        let bytes_per_second = if self.state == DownloadState::Transferring {
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
            state: self.state,
            username: self.source.username.clone(),
            root: self.source.file.root,
            path: self.path.to_string_lossy().into_owned(),
            bytes_per_second,
            eta_seconds: eta_seconds(size - received, bytes_per_second),
            position: self.position,
            reason: self.reason.clone(),
            cause: self.cause,
        }
    }

    /// A finished file may have got another name than it was to have: one of that name was there.
    fn shown_name(&self) -> SafeName {
        match self.path.file_name() {
            Some(name) if self.state == DownloadState::Finished => {
                SafeName::sanitise(&name.to_string_lossy())
            }
            _ => self.name(),
        }
    }

    pub(crate) fn name(&self) -> SafeName {
        self.source.name.clone()
    }
}
