//! How long a source's first word is waited for, and when its introduction is sent again meanwhile.
//!
//! An introduction or the word on it can be lost on the way: a proxy was restarted, or the source was on its way back
//! to a coordinator that was, where mail for whoever is not there goes nowhere. Sent again under its id, it is the same
//! introduction, so that costs nothing; and where this peer has just come back itself, others are given the time that
//! they are told to take for it.

use std::time::Duration;

use protocol::limits::{INTRODUCTION_WORD, RETURN_SPREAD};
use tokio::time::Instant;

/// Between two sendings that nobody answers. A target that is there takes milliseconds.
const REPEAT: Duration = Duration::from_secs(3);

/// What is not answered yet.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The first sending after the last word.
    since: Option<Instant>,
}

/// What to do when there was no word by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    SendAgain,
    GiveUp,
}

impl Silence {
    pub(super) fn sent(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(super) fn heard(&mut self) {
        self.since = None;
    }

    /// Until when the word on what was sent `now` is waited for. `returned` is when this peer last came back to its
    /// coordinator.
    pub(super) fn wait(&self, now: Instant, returned: Option<Instant>) -> (Instant, Then) {
        let since = self.since.unwrap_or(now);
        let others_are_back = returned.map_or(since, |returned| returned + RETURN_SPREAD);
        let end = since.max(others_are_back) + INTRODUCTION_WORD;
        let again = now + REPEAT;
        if again + REPEAT <= end { (again, Then::SendAgain) } else { (end, Then::GiveUp) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// Sends whenever it is due; gives the seconds of all sendings, and that of giving up.
    fn sendings(start: Instant, returned: Option<Instant>) -> (Vec<u64>, u64) {
        let (mut silence, mut now, mut sendings) = (Silence::default(), start, Vec::new());
        for _ in 0..100 {
            silence.sent(now);
            sendings.push((now - start).as_secs());
            let (until, then) = silence.wait(now, returned);
            if then == Then::GiveUp {
                return (sendings, (until - start).as_secs());
            }
            now = until;
        }
        panic!("it never gives up: {sendings:?}");
    }

    #[test]
    fn what_is_not_answered_is_sent_again_until_its_time_is_over() {
        let start = Instant::from_std(clock::now());
        assert_eq!(sendings(start, None), (vec![0, 3, 6], 10));
        let long_ago = start.checked_sub(Duration::from_mins(1)).unwrap();
        assert_eq!(sendings(start, Some(long_ago)), (vec![0, 3, 6], 10));
    }

    #[test]
    fn others_are_given_the_time_to_come_back() {
        let start = Instant::from_std(clock::now());
        assert_eq!(sendings(start, Some(start)), (vec![0, 3, 6, 9, 12, 15], 20));
        let (sendings, end) = sendings(start, start.checked_sub(Duration::from_secs(6)));
        assert_eq!((sendings, end), (vec![0, 3, 6, 9], 14));
    }

    #[test]
    fn a_word_begins_it_anew() {
        let start = Instant::from_std(clock::now());
        let mut silence = Silence::default();
        silence.sent(start);
        silence.heard();
        let later = start + Duration::from_mins(1);
        silence.sent(later);
        assert_eq!(silence.wait(later, None), (later + REPEAT, Then::SendAgain));
    }
}
