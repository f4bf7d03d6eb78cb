//! What tells the parked polls of one worker that there is something for everyone.
//!
//! Waking a poll from its own thread costs a fraction of what it costs from another one. So each worker has a line,
//! and a relay that runs on its thread: a search rings once for each worker, and the relays wake the polls.

use std::sync::Arc;

use tokio::sync::{Notify, futures::Notified};

#[derive(Debug, Default)]
pub(crate) struct Line {
    rung: Notify,
    everyone: Notify,
}

impl Line {
    /// From any thread.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Completes once the relay has passed on a ring that came after this call.
    pub(super) fn heard(&self) -> Notified<'_> {
        self.everyone.notified()
    }

    /// Passes on, on the thread of those who listen, for as long as that lasts.
    pub(crate) async fn relay(self: Arc<Self>) {
        loop {
            self.rung.notified().await;
            self.everyone.notify_waiters();
        }
    }
}
