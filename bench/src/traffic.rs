//! How many bytes simulated peers and servers have sent each other: what it takes to be there is traffic, too. Counted
//! here and not at the network interface, where the looks at metrics pass as well.

use std::sync::atomic::{AtomicU64, Ordering};

/// One process makes one measurement at a time.
static BYTES: AtomicU64 = AtomicU64::new(0);

pub(crate) fn passed(bytes: usize) {
    BYTES.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
}

/// Both ways, since the start.
pub(crate) fn so_far() -> u64 {
    BYTES.load(Ordering::Relaxed)
}
