//! When a stream must make way: who is slow, or has had its time, does so once others wait, and not before.
//!
//! Pure: told the time, and how many bytes went.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

use super::aside::Aside;
use crate::peer_stream::{limits::Patience, pace::Pace};

/// A response that goes on for so much of a turn after its end is broken off: one response may be a whole file.
const GRACE_PER_TURN: u32 = 10;

/// What follows from a look at a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// It ends with the response that is under way.
    WindUp,
    /// It ends at once.
    End(Aside),
}

/// One stream that is in use, as it is looked at.
#[derive(Debug)]
pub(crate) struct Watched {
    since: Instant,
    /// Of its turn, before this stream.
    used_before: Duration,
    pace: Pace,
    wound_up: Option<Instant>,
}

impl Watched {
    pub(crate) fn new(now: Instant, bytes: u64, used_before: Duration) -> Self {
        Self { since: now, used_before, pace: Pace::new(now, bytes), wound_up: None }
    }

    /// What was used of the turn by now.
    pub(crate) fn used(&self, now: Instant) -> Duration {
        self.used_before + now.saturating_duration_since(self.since)
    }

    /// `bytes` is a count that only grows, `limit` what may go in a second.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        bytes: u64,
        limit: Option<NonZeroU64>,
        others_wait: bool,
        patience: &Patience,
    ) -> Verdict {
        let is_slow = self.pace.is_slow(now, bytes, limit, patience.slow_after);
        if !others_wait {
            return Verdict::GoOn;
        }
        if is_slow {
            return Verdict::End(Aside::Slow);
        }
        if self.used(now) < patience.turn {
            return Verdict::GoOn;
        }
        match self.wound_up {
            None => {
                self.wound_up = Some(now);
                Verdict::WindUp
            }
            Some(then) if now.saturating_duration_since(then) < patience.turn / GRACE_PER_TURN => {
                Verdict::GoOn
            }
            Some(_) => Verdict::End(Aside::TurnOver),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience {
        idle: Duration::from_secs(30),
        slow_after: Duration::from_mins(1),
        turn: Duration::from_mins(10),
    };

    fn looks() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
        let bytes = prop_oneof![Just(0), 0..20_000_u64, 0..10_000_000_u64];
        proptest::collection::vec((1..20_000_u64, bytes, any::<bool>()), 1..150)
    }

    proptest! {
        /// Against all looks that there were, kept for ever.
        #[test]
        fn judges_as_one_who_forgets_nothing(looks in looks(), used_before in 0..700_u64) {
            let start = crate::clock::now();
            let (mut now, mut total) = (start, 0);
            let mut watched = Watched::new(start, 0, Duration::from_secs(used_before));
            let (mut all, mut wound_up) = (vec![(start, 0)], None);
            for (pause, bytes, others_wait) in looks {
                now += Duration::from_millis(pause);
                total += bytes;
                let before = all.iter().rev().find(|(at, _)| now - *at >= PATIENCE.slow_after);
                let is_slow = before.is_some_and(|(_, then)| total - then < 60 * 8 * 1024);
                let is_over = now - start + Duration::from_secs(used_before) >= PATIENCE.turn;
                all.push((now, total));
                let expected = match (others_wait, is_slow, is_over, wound_up) {
                    (true, true, ..) => Verdict::End(Aside::Slow),
                    (true, false, true, None) => Verdict::WindUp,
                    (true, false, true, Some(at)) if now - at >= Duration::from_mins(1) => {
                        Verdict::End(Aside::TurnOver)
                    }
                    _ => Verdict::GoOn,
                };
                if expected == Verdict::WindUp {
                    wound_up = Some(now);
                }
                prop_assert_eq!(watched.look(now, total, None, others_wait, &PATIENCE), expected);
            }
        }
    }

    #[test]
    fn nobody_makes_way_for_nobody() {
        let start = crate::clock::now();
        let mut watched = Watched::new(start, 0, Duration::ZERO);
        for second in 1..2_000 {
            let now = start + Duration::from_secs(second);
            assert_eq!(watched.look(now, 0, None, false, &PATIENCE), Verdict::GoOn);
        }
        let later = start + Duration::from_secs(2_000);
        assert_eq!(
            watched.look(later, 0, None, true, &PATIENCE),
            Verdict::End(Aside::Slow),
            "and then at once"
        );
    }

    #[test]
    fn nobody_makes_way_for_the_limit_of_ones_own_peer() {
        let start = crate::clock::now();
        let limit = NonZeroU64::new(4_096);
        let mut watched = Watched::new(start, 0, Duration::ZERO);
        for second in 1..300 {
            let now = start + Duration::from_secs(second);
            assert_eq!(watched.look(now, second * 4_096, limit, true, &PATIENCE), Verdict::GoOn);
        }
    }
}
