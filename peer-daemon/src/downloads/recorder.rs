//! Makes received pieces durable, in groups: the data is synced first, and only then recorded.
//!
//! So the record never claims what a crash could take away, and a sync costs little a piece.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    assemble::PartFile,
    entry::{DownloadId, SharedPlan},
    failure::Failure,
    store::{DownloadStore, Remains},
};

/// A group of pieces is recorded after so many bytes,
const GROUP_BYTES: u64 = 64 * 1024 * 1024;
/// or so much time, whichever comes first.
const GROUP_TIME: Duration = Duration::from_secs(5);

/// Records one download's progress.
#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) id: DownloadId,
    pub(super) plan: SharedPlan,
    pub(super) part: Arc<PartFile>,
    pub(super) store: DownloadStore,
    pub(super) boot_id: Arc<str>,
    unrecorded: Arc<AtomicU64>,
    group_full: Arc<Notify>,
}

impl Recorder {
    pub(super) fn new(
        id: DownloadId,
        plan: SharedPlan,
        part: Arc<PartFile>,
        store: DownloadStore,
        boot_id: Arc<str>,
    ) -> Self {
        Self { id, plan, part, store, boot_id, unrecorded: Arc::default(), group_full: Arc::default() }
    }

    /// To be called by the writer after each piece, with its length.
    pub(super) fn note_piece(&self, bytes: u64) {
        if self.unrecorded.fetch_add(bytes, Ordering::Relaxed) + bytes >= GROUP_BYTES {
            self.unrecorded.store(0, Ordering::Relaxed);
            self.group_full.notify_one();
        }
    }

    /// Records group after group; returns only when the disk does not take one.
    pub(super) async fn run(&self) -> Failure {
        loop {
            tokio::select! {
                () = self.group_full.notified() => {}
                () = tokio::time::sleep(GROUP_TIME) => {}
            }
            if let Err(failure) = self.record().await {
                return failure;
            }
        }
    }

    /// Syncs what was received until now and records it.
    pub(super) async fn record(&self) -> Result<(), Failure> {
        let recorder = self.clone();
        tokio::task::spawn_blocking(move || recorder.record_blocking()).await.map_err(|_| Failure::Worker)?
    }

    fn record_blocking(&self) -> Result<(), Failure> {
        // Taken before the sync: what comes later is not covered by it.
        let verified_bits = self.plan.lock().unwrap_or_else(PoisonError::into_inner).verified_bits();
        self.part.sync()?;
        let remains = Remains {
            part: self.part.part_name().clone(),
            inode: self.part.inode()?,
            verified_bits,
            boot_id: self.boot_id.to_string(),
        };
        Ok(self.store.save_remains(self.id, &remains)?)
    }
}
