//! How often something may be done: a token bucket, kept as the time at which it is full again.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

/// `burst` at once, then one every `interval`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) interval: Duration,
    pub(crate) burst: NonZeroU32,
}

impl Rate {
    pub(crate) fn per(period: Duration, count: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { interval: period / count.get(), burst }
    }

    /// How long an empty bucket takes until it is full.
    pub(crate) fn filling(&self) -> Duration {
        self.interval * self.burst.get()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// As one that was never taken from.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Takes one, or tells how long to wait for it.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let full_after = self.full_at.max(now) + rate.interval;
        let room = rate.filling();
        if full_after > now + room {
            return Err(full_after - (now + room));
        }
        self.full_at = full_after;
        Ok(())
    }
}
