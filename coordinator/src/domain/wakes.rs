//! Whom to wake. The domain notes it; waking is the shell's work.

use std::{collections::HashSet, task::Waker};

use super::sessions::SessionId;

/// Who has something to read since the last look.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    pub(crate) sessions: HashSet<SessionId>,
    /// All sessions: there is a new search.
    pub(crate) everyone: bool,
    /// Polls that are not live any more.
    pub(crate) overtaken: Vec<Waker>,
}

impl Wakes {
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && !self.everyone && self.overtaken.is_empty()
    }
}
