//! Where the time is read.

use std::time::{Duration, Instant};

/// Runs something and tells how long it took.
#[allow(clippy::disallowed_methods, reason = "the clock of this crate")]
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    let result = work.await;
    (result, start.elapsed())
}
