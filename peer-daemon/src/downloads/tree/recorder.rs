//! Makes the files of a folder durable, in groups: all that was written is synced at once, and then recorded at once.

use std::sync::Arc;

use super::{account::SharedAccount, account::lock, disk::PartTree};
use crate::downloads::{
    entry::DownloadId,
    failure::Failure,
    group::Group,
    store::{DownloadStore, Remains},
};

/// Records the progress of one folder.
#[derive(Clone)]
pub(super) struct TreeRecorder {
    pub(super) id: DownloadId,
    pub(super) account: SharedAccount,
    pub(super) tree: Arc<PartTree>,
    pub(super) store: DownloadStore,
    pub(super) boot_id: Arc<str>,
    pub(super) group: Group,
}

impl TreeRecorder {
    /// Records group after group; returns only when the disk does not take one.
    pub(super) async fn run(&self) -> Failure {
        loop {
            self.group.next().await;
            if let Err(failure) = self.record().await {
                return failure;
            }
        }
    }

    /// Syncs what is there until now and records it.
    pub(super) async fn record(&self) -> Result<(), Failure> {
        let recorder = self.clone();
        tokio::task::spawn_blocking(move || recorder.record_blocking()).await.map_err(|_| Failure::Worker)?
    }

    fn record_blocking(&self) -> Result<(), Failure> {
        // Taken before the sync: what comes later is not covered by it.
        let (verified_bits, tally) = {
            let account = lock(&self.account);
            (account.bits(), account.tally())
        };
        if tally.finished > 0 {
            self.tree.sync()?;
        }
        let remains = Remains {
            part: self.tree.part_name().clone(),
            inode: self.tree.inode()?,
            verified_bits,
            boot_id: self.boot_id.to_string(),
        };
        Ok(self.store.save_tree(self.id, &remains, tally)?)
    }
}
