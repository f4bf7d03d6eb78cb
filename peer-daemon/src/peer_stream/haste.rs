//! How long a requester bears with a source that dribbles: as long as nothing else wants the one download slot, and
//! a minute otherwise. A source could hold it for ever with a byte now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{pace::Pace, throttle::Throttle};

/// Looks in the time that is given: chunks come by the thousand.
const LOOKS: u32 = 30;

#[derive(Debug)]
pub struct Haste {
    /// Counts all that comes, by whatever stream: the one in the slot is the one that carries.
    throttle: Throttle,
    /// Downloads that have a source ready to send, and no slot.
    waiting: Arc<AtomicUsize>,
    slow_after: Duration,
    pace: Pace,
    next_look: Instant,
}

impl Haste {
    pub fn new(now: Instant, throttle: Throttle, waiting: Arc<AtomicUsize>, slow_after: Duration) -> Self {
        let pace = Pace::new(now, throttle.passed());
        Self { throttle, waiting, slow_after, pace, next_look: now }
    }

    /// To be asked with each chunk: whether the stream has to make way.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if now < self.next_look {
            return false;
        }
        self.next_look = now + self.slow_after / LOOKS;
        let (passed, limit) = (self.throttle.passed(), self.throttle.rate());
        let is_slow = self.pace.is_slow(now, passed, limit, self.slow_after);
        is_slow && self.waiting.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Whether it has to make way within five minutes in which nothing comes but what a look needs.
    fn makes_way(waiting: usize) -> bool {
        let start = crate::clock::now();
        let waiting = Arc::new(AtomicUsize::new(waiting));
        let mut haste = Haste::new(start, Throttle::default(), waiting, MINUTE);
        let mut seconds = (0..300).map(Duration::from_secs);
        let over = seconds.find(|&second| haste.is_over(start + second));
        assert!(over.is_none_or(|over| over >= MINUTE), "{over:?}");
        over.is_some()
    }

    #[test]
    fn who_dribbles_makes_way_for_one_that_waits() {
        assert!(makes_way(1));
        assert!(!makes_way(0), "nobody waits");
    }
}
