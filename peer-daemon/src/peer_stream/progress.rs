//! What the uploads list shows of a stream: written by the stream, read by whoever asks.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use protocol::FileId;
use tokio::sync::watch;

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Phase {
    #[default]
    Connected,
    /// The requester showed the pinned certificate: the address is its own, and no bystander's.
    Verified,
    /// A file was asked for: the stream is in use. One that ends before was deferred by the requester.
    Asked,
}

/// One file's progress, or one folder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentItem {
    /// As the introduction names it.
    pub file: FileId,
    /// Bytes of it that were handed to the stream since it turned to it.
    pub sent: u64,
}

#[derive(Debug, Default)]
pub struct ServeProgress {
    phase: watch::Sender<Phase>,
    sent: AtomicU64,
    source_changed: AtomicBool,
    disk_silent: AtomicBool,
    /// What was asked for last, and what had been sent before it. A plain mutex: held for a copy.
    current: Mutex<Option<(FileId, u64)>>,
}

impl ServeProgress {
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the stream has come that far. Pends for ever when it ends before: race it with the stream.
    pub async fn reached(&self, phase: Phase) {
        // The sender is `self`'s own, so it is not gone.
        let _ = self.phase.subscribe().wait_for(|reached| *reached >= phase).await;
    }

    /// File bytes handed to the stream, over all requests.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What was asked for last.
    pub fn current_item(&self) -> Option<CurrentItem> {
        let (file, before) = (*self.lock())?;
        Some(CurrentItem { file, sent: self.bytes_sent().saturating_sub(before) })
    }

    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|reached| {
            let is_further = phase > *reached;
            *reached = phase.max(*reached);
            is_further
        });
    }

    /// The requester showed the pinned certificate. False where it did so on another stream before: one introduction
    /// has one stream, and whoever comes second is not served.
    pub(super) fn is_first_verified(&self) -> bool {
        self.phase.send_if_modified(|reached| {
            let is_first = *reached < Phase::Verified;
            *reached = Phase::Verified.max(*reached);
            is_first
        })
    }

    pub(crate) fn turn_to(&self, file: FileId) {
        let mut current = self.lock();
        if current.is_none_or(|(other, _)| other != file) {
            *current = Some((file, self.bytes_sent()));
        }
    }

    pub(crate) fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn note_source_changed(&self) {
        self.source_changed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_source_changed(&self) -> bool {
        self.source_changed.load(Ordering::Relaxed)
    }

    pub(super) fn note_silent_disk(&self) {
        self.disk_silent.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_disk_silent(&self) -> bool {
        self.disk_silent.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(FileId, u64)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
