//! The one place of this crate that reads the time.

use std::time::{Instant, SystemTime};

/// For durations and deadlines.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// For ages that outlive the process.
#[allow(clippy::disallowed_methods)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
