//! The one download slot, and how many want it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

pub(super) struct Slot {
    permit: Semaphore,
    /// Those whose source was ready while the slot was taken.
    waiting: Arc<AtomicUsize>,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self { permit: Semaphore::new(1), waiting: Arc::default() }
    }

    pub(super) fn try_take(&self) -> Option<SemaphorePermit<'_>> {
        self.permit.try_acquire().ok()
    }

    pub(super) fn is_free(&self) -> bool {
        self.permit.available_permits() > 0
    }

    /// Until it is free, or for so long; it is not taken. Whoever has it and dribbles makes way meanwhile.
    pub(super) async fn wait(&self, limit: Duration) {
        let _waits = Waits::one_more(&self.waiting);
        let _free = timeout(limit, self.permit.acquire()).await;
    }

    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }
}

/// Counted for as long as it is held.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn one_more(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
