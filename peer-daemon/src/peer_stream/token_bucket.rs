//! How many bytes may go now at a given rate. Pure: told the time and the rate, which may change between any two
//! questions.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// Time that was not used counts for so long: a late wake-up is made up for, and a stream that rested can't
/// burst.
const CREDIT: Duration = Duration::from_millis(250);
/// Bytes go in steps of what this time is worth: often enough to be smooth at low rates, seldom enough to cost
/// nothing at high ones.
const STEP: Duration = Duration::from_millis(100);

/// Counts in time and not in bytes, so that a change of the rate counts from the next byte on.
#[derive(Debug, Default)]
pub(super) struct TokenBucket {
    /// Until when what went is paid for.
    paid_until: Option<Instant>,
}

impl TokenBucket {
    /// How many of the `wanted` bytes may go now, at least one; or when it is worth asking again.
    pub(super) fn allowance(&self, now: Instant, rate: NonZeroU64, wanted: usize) -> Result<usize, Instant> {
        let from = self.from(now);
        let earned = bytes_in(now.saturating_duration_since(from), rate);
        let worth_it = bytes_in(STEP, rate).clamp(1, wanted.max(1) as u64);
        if earned < worth_it {
            return Err(from + time_of(worth_it, rate));
        }
        Ok(wanted.min(usize::try_from(earned).unwrap_or(usize::MAX)))
    }

    /// So many bytes went.
    pub(super) fn spend(&mut self, now: Instant, rate: NonZeroU64, bytes: usize) {
        self.paid_until = Some(self.from(now) + time_of(bytes as u64, rate));
    }

    /// From when on time is worth bytes.
    fn from(&self, now: Instant) -> Instant {
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        self.paid_until.map_or(earliest, |paid_until| paid_until.max(earliest))
    }
}

fn bytes_in(time: Duration, rate: NonZeroU64) -> u64 {
    let bytes = time.as_nanos().saturating_mul(rate.get().into()) / NANOS;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Rounded up, so that this time is worth so many bytes.
fn time_of(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = (u128::from(bytes) * NANOS).div_ceil(rate.get().into());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(bytes_per_second: u64) -> NonZeroU64 {
        NonZeroU64::new(bytes_per_second).unwrap()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Pass(Duration),
        Take(usize),
        Change(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => (0..400_000_u64).prop_map(|micros| Step::Pass(Duration::from_micros(micros))),
            4 => (0..300_000_usize).prop_map(Step::Take),
            1 => (1_000..50_000_000_u64).prop_map(Step::Change),
        ];
        proptest::collection::vec(step, 0..100)
    }

    proptest! {
        /// The model is the bucket of the books: time fills it, up to a brim; its content is kept in seconds.
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "a model in real numbers, compared with a tolerance")]
        fn grants_what_a_bucket_of_real_numbers_does(steps in steps()) {
            let (mut now, mut bucket) = (crate::clock::now(), TokenBucket::default());
            let (mut filled, mut at, brim) = (CREDIT.as_secs_f64(), rate(20_000), CREDIT.as_secs_f64());
            for step in steps {
                match step {
                    Step::Pass(time) => {
                        now += time;
                        filled = (filled + time.as_secs_f64()).min(brim);
                    }
                    Step::Change(bytes_per_second) => at = rate(bytes_per_second),
                    Step::Take(wanted) => {
                        let there = filled * at.get() as f64;
                        let worth_it = (STEP.as_secs_f64() * at.get() as f64).min(wanted as f64).max(1.0);
                        match bucket.allowance(now, at, wanted) {
                            Ok(granted) => {
                                prop_assert!(there > worth_it - 2.0, "{granted} of {there}");
                                prop_assert!((granted as f64 - there.min(wanted as f64)).abs() < 2.0);
                                bucket.spend(now, at, granted);
                                filled -= granted as f64 / at.get() as f64;
                            }
                            Err(ask_again) => {
                                prop_assert!(there < worth_it + 2.0, "nothing of {there}");
                                prop_assert!(ask_again > now && ask_again <= now + STEP);
                                prop_assert!(bucket.allowance(ask_again, at, wanted).is_ok());
                            }
                        }
                    }
                }
            }
        }

        /// Whoever takes all that there is, and comes before its credit is over, gets the rate: never more than it and
        /// one credit, never less by more than a step.
        #[test]
        fn over_time_it_is_the_rate(
            bytes_per_second in 10_000..100_000_000_u64,
            // The credit less a step: so much may be left from one time to the next.
            pauses in proptest::collection::vec(0..=150_u64, 1..100),
        ) {
            let (start, at, mut bucket) = (crate::clock::now(), rate(bytes_per_second), TokenBucket::default());
            let (mut now, mut taken) = (start, 0);
            for pause in pauses {
                now += Duration::from_millis(pause);
                while let Ok(granted) = bucket.allowance(now, at, 64 * 1024) {
                    bucket.spend(now, at, granted);
                    taken += granted as u64;
                }
            }
            prop_assert!(taken <= bytes_in(now - start + CREDIT, at));
            prop_assert!(taken + bytes_in(STEP, at) + 1 >= bytes_in(now - start, at));
        }
    }
}
