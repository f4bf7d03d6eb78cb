//! What a download does by itself when its time has come, and what that time depends on. Pure.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::backoff::BackoffRange;

/// No wait is longer. What is due later than that was noted before the clock was set back.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// What a download does by itself, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Errand {
    pub(crate) what: What,
    pub(crate) due: SystemTime,
}

impl Errand {
    /// When it is to be done, as the clock goes now.
    pub(crate) fn due_by(&self, now: SystemTime) -> SystemTime {
        due_by(self.due, now)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Ask its source again.
    Ask,
    /// Search for whoever has the file.
    Seek,
}

/// What depends on neither the download nor its source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) now: SystemTime,
    /// From 0.0 to 1.0.
    pub(crate) random: f64,
    /// It is given up after so long without a byte.
    pub(crate) give_up_after: Duration,
    /// How often one that waits in a queue looks for somebody else.
    pub(crate) look_around: BackoffRange,
}

impl Circumstances {
    /// A clock that was set back counts as no time.
    pub(super) fn is_over(&self, since: SystemTime) -> bool {
        self.now.duration_since(since).unwrap_or_default() >= self.give_up_after
    }
}

/// When what is due then is to be done, as the clock goes now.
pub(super) fn due_by(due: SystemTime, now: SystemTime) -> SystemTime {
    if due > now + WAIT_MAX { now } else { due }
}
