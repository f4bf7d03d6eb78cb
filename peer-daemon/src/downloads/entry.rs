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

use super::{assemble::PartFile, failure::Failure, plan::Plan};
use crate::{
    searches::Source,
    transfer_rate::{TransferRate, eta_seconds},
};

/// A number from 1, never used again by this daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DownloadId(pub(crate) u64);

/// The pieces of a download, shared by its record and its fetcher.
pub(crate) type SharedPlan = Arc<Mutex<Plan>>;

/// A download's record.
#[derive(Debug)]
pub(crate) struct Entry {
    id: DownloadId,
    pub(crate) source: Source,
    pub(crate) plan: SharedPlan,
    /// Cancelled with the download.
    pub(crate) token: CancellationToken,
    /// What was written so far; made with the first stream.
    pub(crate) part: Option<Arc<PartFile>>,
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
}

impl Entry {
    /// `path` is where the file is meant to be; another name may be taken when it is finished.
    pub(crate) fn new(id: DownloadId, source: Source, path: PathBuf, token: CancellationToken) -> Self {
        Self {
            id,
            plan: Arc::new(Mutex::new(Plan::new(source.file))),
            source,
            token,
            part: None,
            gone: HashSet::new(),
            lost_streams: 0,
            state: DownloadState::Queued,
            position: None,
            reason: None,
            cause: None,
            rate: TransferRate::default(),
            path,
        }
    }

    pub(crate) fn state(&self) -> DownloadState {
        self.state
    }

    /// Moves to another state, with the reason why it is there. An ended download stays as it ended.
    pub(crate) fn move_to(&mut self, state: DownloadState, reason: Option<String>) {
        if self.state.has_ended() {
            return;
        }
        if state != self.state {
            self.rate = TransferRate::default();
        }
        (self.state, self.reason, self.position) = (state, reason, None);
    }

    /// Waits in the source's queue.
    pub(crate) fn wait_at(&mut self, position: u32, reason: String) {
        self.move_to(DownloadState::Waiting, Some(reason));
        self.position = Some(position);
    }

    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.move_to(DownloadState::Failed, Some(failure.to_string()));
        self.cause = Some(failure.cause());
    }

    pub(crate) fn finish(&mut self, path: PathBuf) {
        self.move_to(DownloadState::Finished, None);
        self.path = path;
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
            name: self.name(),
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

    pub(crate) fn name(&self) -> SafeName {
        self.source.name.clone()
    }
}
