//! The one place of this crate that reads the time.

use std::time::Instant;

/// For durations and deadlines.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// For a person: the time where that person is.
#[allow(clippy::disallowed_methods)]
pub(crate) fn local() -> jiff::Zoned {
    jiff::Zoned::now()
}
