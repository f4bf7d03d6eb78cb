//! How long to wait before the next attempt: doubled with each failure up to a bound, with jitter, so that those who
//! wait for one and the same (the peers of a coordinator that comes back) don't all arrive in one instant.

use std::time::Duration;

/// The shortest and the longest wait, before jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffRange {
    pub first: Duration,
    pub max: Duration,
}

impl BackoffRange {
    /// The wait after so many failures in a row before this one: from half to the whole of the doubled time, as
    /// `random` (0.0 to 1.0) says.
    pub(crate) fn wait(&self, failures: u32, random: f64) -> Duration {
        let doubled = 2_u32.checked_pow(failures).and_then(|factor| self.first.checked_mul(factor));
        let whole = doubled.map_or(self.max, |doubled| doubled.min(self.max));
        whole.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }
}

/// Counts failures in a row.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    range: BackoffRange,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(range: BackoffRange) -> Self {
        Self { range, failures: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts one more failure and tells the [wait](BackoffRange::wait).
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let wait = self.range.wait(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The same, and at least as long as the other side asked for.
    pub(crate) fn next_at_least(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        self.next(random).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{collection::vec, prelude::*};

    use super::{Backoff, BackoffRange};

    const RANGE: BackoffRange =
        BackoffRange { first: Duration::from_millis(500), max: Duration::from_secs(30) };

    proptest! {
        #[test]
        fn each_wait_is_within_half_and_whole_of_the_doubled_bounded_time(
            randoms in vec(0.0_f64..=1.0, 1..80),
        ) {
            let mut backoff = Backoff::new(RANGE);
            let mut whole = RANGE.first;
            for random in randoms {
                let wait = backoff.next(random);
                let slack = Duration::from_micros(1);
                prop_assert!(wait + slack >= whole / 2 && wait <= whole + slack, "{wait:?} for {whole:?}");
                whole = (whole * 2).min(RANGE.max);
            }
            backoff.reset();
            prop_assert!(backoff.next(1.0) <= RANGE.first);
        }

        #[test]
        fn what_the_other_side_asked_for_is_never_undercut(asked in 0_u64..100, random in 0.0_f64..=1.0) {
            let asked = Duration::from_secs(asked);
            prop_assert!(Backoff::new(RANGE).next_at_least(Some(asked), random) >= asked);
        }
    }

    #[test]
    fn jitter_tells_two_peers_apart() {
        assert_ne!(Backoff::new(RANGE).next(0.1), Backoff::new(RANGE).next(0.9));
    }
}
