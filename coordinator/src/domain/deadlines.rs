//! What is due when. One queue a kind of thing, looked at by the sweep: a thing that is not due costs nothing,
//! so peers that sit idle cost nothing either.
//!
//! An entry is a reminder, not the truth: whoever takes it out looks whether the thing still exists and is
//! really due, and schedules it anew when it is not.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

#[derive(Debug)]
pub(crate) struct Deadlines<K>(BinaryHeap<Reverse<(Instant, K)>>);

impl<K: Ord> Deadlines<K> {
    pub(crate) fn new() -> Self {
        Self(BinaryHeap::new())
    }

    pub(crate) fn schedule(&mut self, at: Instant, key: K) {
        self.0.push(Reverse((at, key)));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes out the next thing that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, key))| key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Deadlines;

    #[test]
    fn what_is_due_comes_out_in_order_and_the_rest_stays() {
        let start = crate::clock::now();
        let mut deadlines = Deadlines::new();
        for seconds in [3, 1, 2] {
            deadlines.schedule(start + Duration::from_secs(seconds), seconds);
        }
        let now = start + Duration::from_secs(2);
        assert_eq!(deadlines.pop_due(now), Some(1));
        assert_eq!(deadlines.pop_due(now), Some(2));
        assert_eq!(deadlines.pop_due(now), None);
        assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), Some(3));
    }
}
