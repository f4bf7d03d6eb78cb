//! Whether a stream carries less than it should: one rule for those who give and for those who fetch.
//!
//! Pure: told the time, and how many bytes went.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The least that a stream must carry while others wait: a modem's worth.
pub(crate) const SLOW_BYTES_PER_SECOND: u64 = 8 * 1024;
/// A longer memory would take more than it tells.
const WINDOW_MAX: Duration = Duration::from_hours(1);

/// One stream, as it is looked at.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The looks of the last while, with what had gone by then.
    looks: VecDeque<(Instant, u64)>,
}

impl Pace {
    pub(crate) fn new(now: Instant, bytes: u64) -> Self {
        Self { looks: VecDeque::from([(now, bytes)]) }
    }

    /// Whether less went in the last while than should have; a stream that is younger is not judged. `bytes` is a
    /// count that only grows.
    pub(crate) fn is_slow(&mut self, now: Instant, bytes: u64, window: Duration) -> bool {
        let window = window.min(WINDOW_MAX);
        let is_old = |look: &(Instant, u64)| now.saturating_duration_since(look.0) >= window;
        while self.looks.get(1).is_some_and(is_old) {
            self.looks.pop_front();
        }
        let before = self.looks.front().filter(|look| is_old(look)).map(|(_, then)| *then);
        self.looks.push_back((now, bytes));
        before.is_some_and(|then| bytes.saturating_sub(then) < SLOW_BYTES_PER_SECOND * window.as_secs())
    }
}
