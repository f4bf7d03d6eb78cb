//! Whether a stream carries less than it should: one rule for those who give and for those who fetch. Nobody is slow
//! for what this peer's own limit holds back.
//!
//! Pure: told the time, and how many bytes went.

use std::{
    collections::VecDeque,
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// The least that a stream must carry while others wait: a modem's worth.
const SLOW_BYTES_PER_SECOND: u64 = 8 * 1024;
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

    /// Whether less went in the last while than should have, under our own limit; a stream that is younger is not
    /// judged. `bytes` is a count that only grows.
    pub(crate) fn is_slow(
        &mut self,
        now: Instant,
        bytes: u64,
        limit: Option<NonZeroU64>,
        window: Duration,
    ) -> bool {
        let window = window.min(WINDOW_MAX);
        let is_old = |look: &(Instant, u64)| now.saturating_duration_since(look.0) >= window;
        while self.looks.get(1).is_some_and(is_old) {
            self.looks.pop_front();
        }
        let before = self.looks.front().filter(|look| is_old(look)).map(|(_, then)| *then);
        self.looks.push_back((now, bytes));
        before.is_some_and(|then| bytes.saturating_sub(then) < least(limit) * window.as_secs())
    }
}

/// Half of what may go is enough: a limit's moments are uneven, and its change is judged by what went before it.
fn least(limit: Option<NonZeroU64>) -> u64 {
    limit.map_or(SLOW_BYTES_PER_SECOND, |limit| SLOW_BYTES_PER_SECOND.min(limit.get() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Whether a stream that carries so much is slow at any time within five minutes.
    fn is_ever_slow(bytes_per_second: u64, limit: u64) -> bool {
        let start = crate::clock::now();
        let mut pace = Pace::new(start, 0);
        (1..300).any(|second| {
            let now = start + Duration::from_secs(second);
            pace.is_slow(now, second * bytes_per_second, NonZeroU64::new(limit), MINUTE)
        })
    }

    #[test]
    fn a_stream_is_measured_by_what_its_own_side_lets_through() {
        for (bytes_per_second, limit, is_slow) in [
            (8_192, 0, false),
            (8_191, 0, true),
            (8_191, 1_000_000, true),
            (4_096, 4_096, false),
            (2_048, 4_096, false),
            (2_047, 4_096, true),
            (0, 4_096, true),
            (1, 1, false),
        ] {
            assert_eq!(is_ever_slow(bytes_per_second, limit), is_slow, "{bytes_per_second} of {limit}");
        }
    }
}
