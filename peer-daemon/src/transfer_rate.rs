//! How fast a transfer goes, as people want to read it: over the last few seconds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Long enough to be steady, short enough to show a stall.
const WINDOW: Duration = Duration::from_secs(5);
/// Samples closer than this are merged, which bounds their number.
const RESOLUTION: Duration = Duration::from_millis(100);

/// How often a running transfer is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes a second over a sliding window. Pure: `now` is an argument.
#[derive(Debug, Default)]
pub(crate) struct TransferRate {
    /// Moments and the total at each, oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl TransferRate {
    /// The total so far, at this moment.
    pub(crate) fn record(&mut self, now: Instant, total: u64) {
        while self.samples.len() > 1 && now.saturating_duration_since(self.samples[1].0) >= WINDOW {
            self.samples.pop_front();
        }
        let is_followed = self.samples.len() > 1;
        match self.samples.back_mut() {
            Some((moment, last)) if is_followed && now.saturating_duration_since(*moment) < RESOLUTION => {
                *last = total;
            }
            _ => self.samples.push_back((now, total)),
        }
    }

    /// Bytes a second; 0 before there is something to tell.
    pub(crate) fn bytes_per_second(&self, now: Instant) -> u64 {
        let (Some((first_moment, first)), Some((_, last))) = (self.samples.front(), self.samples.back())
        else {
            return 0;
        };
        let milliseconds = now.saturating_duration_since(*first_moment).as_millis().max(1);
        let bytes = u128::from(last.saturating_sub(*first));
        u64::try_from(bytes * 1_000 / milliseconds).unwrap_or(u64::MAX)
    }
}

/// Runs a transfer and has someone look at it now and then, so that its rate is known whenever it is asked for.
pub(crate) async fn watched<T>(transfer: impl Future<Output = T>, mut look: impl FnMut()) -> T {
    tokio::pin!(transfer);
    loop {
        tokio::select! {
            done = &mut transfer => return done,
            () = tokio::time::sleep(LOOK_INTERVAL) => look(),
        }
    }
}

/// Seconds until `missing` bytes have come; `None` when nothing moves.
pub(crate) fn eta_seconds(missing: u64, bytes_per_second: u64) -> Option<u64> {
    (bytes_per_second > 0).then(|| missing.div_ceil(bytes_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_transfer_shows_its_rate_and_a_stalled_one_fades() {
        let start = crate::clock::now();
        let mut rate = TransferRate::default();
        assert_eq!(rate.bytes_per_second(start), 0);
        for tick in 0..200 {
            rate.record(start + Duration::from_millis(tick * 50), tick * 500);
        }
        let now = start + Duration::from_millis(199 * 50);
        let steady = rate.bytes_per_second(now);
        assert!((9_500..=10_500).contains(&steady), "{steady}");
        assert!(rate.bytes_per_second(now + Duration::from_secs(20)) < 2_500);
        assert!(rate.samples.len() < 100, "{} samples", rate.samples.len());
    }

    #[tokio::test]
    async fn a_transfer_is_looked_at_until_it_ends() {
        let looks = std::cell::Cell::new(0);
        let looked_at = tokio::sync::Notify::new();
        let transfer = async {
            while looks.get() < 2 {
                looked_at.notified().await;
            }
            "done"
        };
        let look = || {
            looks.set(looks.get() + 1);
            looked_at.notify_one();
        };
        assert_eq!(watched(transfer, look).await, "done");
        assert_eq!(looks.get(), 2);
    }

    #[test]
    fn time_left_is_rounded_up_and_unknown_when_nothing_moves() {
        assert_eq!(eta_seconds(10, 0), None);
        assert_eq!(eta_seconds(10, 3), Some(4));
        assert_eq!(eta_seconds(0, 3), Some(0));
    }
}
