//! Waiting for conditions, always with a deadline.

use std::time::Duration;

use crate::clock;

/// For whatever takes milliseconds by itself: a slow machine with other tests beside stays well below it.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// For what a download does by itself after a setback: a lost source is asked again, and another one is searched for, a
/// few times with growing pauses.
pub const RECOVERY: Duration = Duration::from_mins(1);
/// How often a condition is looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// Looks until `look` sees something; panics with `what` when the deadline is over first.
pub async fn until<T>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = clock::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        tokio::time::sleep(GLANCE).await;
    }
}

/// Lets `work` end by itself; panics with `what` when the deadline is over first.
pub async fn within<T>(what: &str, deadline: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(deadline, work)
        .await
        .unwrap_or_else(|_| panic!("waited {deadline:?} in vain: {what}"))
}

/// Looks again and again for a whole `duration`; panics with `what` as soon as it is not so.
pub async fn stays_so(what: &str, duration: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let start = clock::now();
    while start.elapsed() < duration {
        assert!(is_so().await, "after {:?} it was not so any more: {what}", start.elapsed());
        tokio::time::sleep(GLANCE).await;
    }
}
