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

/// What a response counts for beside the bytes of its file: its head, and the request. A folder of small files is not
/// slow for being many of them.
pub(super) const RESPONSE_BYTES: u64 = 512;

/// It counts what the stream itself brings of files. What else comes to this peer is others' doing, and a refusal
/// brings nothing, however long it is.
#[derive(Debug)]
pub struct Haste {
    /// How fast this peer lets it be.
    throttle: Throttle,
    /// Downloads that have a source ready to send, and no slot.
    waiting: Arc<AtomicUsize>,
    slow_after: Duration,
    brought: u64,
    pace: Pace,
    next_look: Instant,
}

impl Haste {
    pub fn new(now: Instant, throttle: Throttle, waiting: Arc<AtomicUsize>, slow_after: Duration) -> Self {
        Self { throttle, waiting, slow_after, brought: 0, pace: Pace::new(now, 0), next_look: now }
    }

    /// To be told of each response and each chunk, and how much of a file it brought: whether the stream has to make
    /// way.
    pub(super) fn is_over(&mut self, now: Instant, brought: u64) -> bool {
        self.brought += brought;
        if now < self.next_look {
            return false;
        }
        self.next_look = now + self.slow_after / LOOKS;
        let is_slow = self.pace.is_slow(now, self.brought, self.throttle.rate(), self.slow_after);
        is_slow && self.waiting.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::peer_stream::throttle::Throttled;

    const MINUTE: Duration = Duration::from_mins(1);

    fn haste(throttle: &Throttle, waiting: usize) -> (Instant, Haste) {
        let start = crate::clock::now();
        (start, Haste::new(start, throttle.clone(), Arc::new(AtomicUsize::new(waiting)), MINUTE))
    }

    /// When it has to make way, of five minutes in each second of which so much of a file comes.
    fn makes_way(waiting: usize, bytes_per_second: u64) -> Option<Duration> {
        let (start, mut haste) = haste(&Throttle::default(), waiting);
        let mut seconds = (1..300).map(Duration::from_secs);
        seconds.find(|&second| haste.is_over(start + second, bytes_per_second))
    }

    #[test]
    fn who_dribbles_makes_way_for_one_that_waits() {
        for too_little in [0, 8 * 1024 - 1] {
            let after = makes_way(1, too_little).unwrap();
            assert!(after >= MINUTE && after < MINUTE + 3 * MINUTE / LOOKS, "{after:?}");
        }
        assert_eq!(makes_way(1, 8 * 1024), None);
        assert_eq!(makes_way(0, 0), None, "nobody waits");
    }

    /// Whoever connects to the download port can have this peer read what he likes.
    #[tokio::test]
    async fn what_comes_by_other_streams_makes_nobody_quick() {
        let throttle = Throttle::default();
        let (start, mut haste) = haste(&throttle, 1);
        let (mut stranger, near) = duplex(1 << 20);
        stranger.write_all(&vec![0; 1 << 20]).await.unwrap();
        Throttled::reading(near, throttle.clone()).read_exact(&mut vec![0; 1 << 20]).await.unwrap();
        assert_eq!(throttle.passed(), 1 << 20);
        assert!(haste.is_over(start + MINUTE, 1));
    }
}
