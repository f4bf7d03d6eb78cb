//! Makes received pieces durable, in groups: the data is synced first, and only then recorded.
//!
//! So the record never claims what a crash could take away, and a sync costs little a piece.

use std::sync::{Arc, PoisonError};

use super::{
    assemble::PartFile,
    content::SharedPlan,
    failure::Failure,
    group::Group,
    store::{DownloadStore, PartOf, Remains},
};

/// Records the progress of one file.
#[derive(Clone)]
pub(super) struct Recorder {
    pub(super) of: PartOf,
    pub(super) plan: SharedPlan,
    pub(super) part: Arc<PartFile>,
    pub(super) store: DownloadStore,
    pub(super) boot_id: Arc<str>,
    group: Group,
}

impl Recorder {
    pub(super) fn new(
        of: PartOf,
        plan: SharedPlan,
        part: Arc<PartFile>,
        store: DownloadStore,
        boot_id: Arc<str>,
    ) -> Self {
        Self { of, plan, part, store, boot_id, group: Group::default() }
    }

    /// To be called by the writer after each piece, with its length.
    pub(super) fn note_piece(&self, bytes: u64) {
        self.group.add(bytes);
    }

    /// Records group after group; returns only when the disk does not take one.
    pub(super) async fn run(&self) -> Failure {
        loop {
            self.group.next().await;
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

    pub(super) fn record_blocking(&self) -> Result<(), Failure> {
        // Taken before the sync: what comes later is not covered by it.
        let verified_bits = self.plan.lock().unwrap_or_else(PoisonError::into_inner).verified_bits();
        self.part.sync()?;
        let remains = Remains {
            part: self.part.part_name().clone(),
            inode: self.part.inode()?,
            verified_bits,
            boot_id: self.boot_id.to_string(),
        };
        Ok(self.store.save_remains(self.of, &remains)?)
    }
}
