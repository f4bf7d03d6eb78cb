//! What downloads know of this peer's sessions at the coordinator: pending introductions are sent again with each new
//! one.

use tokio::time::Instant;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sessions {
    latest: Option<Instant>,
    is_return: bool,
}

impl Sessions {
    pub(super) fn begin(&mut self, now: Instant) {
        self.is_return = self.latest.is_some();
        self.latest = Some(now);
    }

    /// When this peer last came back to its coordinator, as others may just be doing, too.
    pub(super) fn returned(&self) -> Option<Instant> {
        self.latest.filter(|_| self.is_return)
    }
}
