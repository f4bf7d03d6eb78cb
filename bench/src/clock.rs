//! Where the time is read.

use std::time::{Duration, Instant};

/// For durations and deadlines.
#[allow(clippy::disallowed_methods, reason = "the clock of this crate")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs something and tells how long it took.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = now();
    let result = work.await;
    (result, start.elapsed())
}
