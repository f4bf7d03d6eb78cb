//! What downloads know of this peer's sessions at the coordinator: pending introductions are sent again with each new
//! one, and when this peer's keys have changed.

use tokio::{sync::watch, time::Instant};

/// Tells of sessions and of new keys.
#[derive(Debug, Default)]
pub(super) struct SessionNews(watch::Sender<Sessions>);

impl SessionNews {
    /// A new session is held.
    pub(super) fn begin(&self, now: Instant) {
        self.0.send_modify(|sessions| sessions.begin(now));
    }

    /// The session is the one that there was: nobody has come back, or is to be waited for.
    pub(super) fn change_keys(&self) {
        self.0.send_modify(|_| {});
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Sessions> {
        self.0.subscribe()
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sessions {
    latest: Option<Instant>,
    is_return: bool,
}

impl Sessions {
    fn begin(&mut self, now: Instant) {
        self.is_return = self.latest.is_some();
        self.latest = Some(now);
    }

    /// When this peer last came back to its coordinator, as others may just be doing, too.
    pub(super) fn returned(&self) -> Option<Instant> {
        self.latest.filter(|_| self.is_return)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn only_another_session_is_a_return_and_new_keys_are_told_of_all_the_same() {
        let start = Instant::from_std(clock::now());
        let news = SessionNews::default();
        let mut heard = news.subscribe();
        let mut next = || {
            assert!(heard.has_changed().unwrap());
            heard.borrow_and_update().returned()
        };
        // A daemon takes up its keys before its first session.
        news.change_keys();
        assert_eq!(next(), None);
        news.begin(start);
        assert_eq!(next(), None);
        news.change_keys();
        assert_eq!(next(), None);
        news.begin(start);
        assert_eq!(next(), Some(start));
    }
}
