//! How much is received before it is made durable: data is synced and recorded in groups, so that neither costs
//! much a piece or a file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// A group is recorded after so many bytes,
const GROUP_BYTES: u64 = 64 * 1024 * 1024;
/// so many pieces or files (each of which is a file to be synced),
const GROUP_MEMBERS: u64 = 500;
/// or so much time, whichever comes first.
const GROUP_TIME: Duration = Duration::from_secs(5);

/// What is not recorded yet. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Group {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicU64,
    members: AtomicU64,
    full: Notify,
}

impl Group {
    /// To be called by the writer after each piece or file, with its length.
    pub(super) fn add(&self, bytes: u64) {
        let bytes = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let members = self.shared.members.fetch_add(1, Ordering::Relaxed) + 1;
        if bytes >= GROUP_BYTES || members >= GROUP_MEMBERS {
            self.shared.full.notify_one();
        }
    }

    /// Waits until something is to be recorded, which counts as recorded from then on.
    pub(super) async fn next(&self) {
        loop {
            tokio::select! {
                () = self.shared.full.notified() => {}
                () = tokio::time::sleep(GROUP_TIME) => {}
            }
            self.shared.bytes.store(0, Ordering::Relaxed);
            if self.shared.members.swap(0, Ordering::Relaxed) > 0 {
                return;
            }
        }
    }
}
