//! Who may use the page: links that open it once, and the sessions that they open. No password exists.
//!
//! ```text
//!   peerctl gui ──▶ link ──(once, within 30 s)──▶ session ──(a day, or until 16 newer ones)──▶ gone
//! ```
//!
//! All of it is in memory. A daemon that starts again knows no session, and the page asks for a new link.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use protocol::id::{GuiLink, GuiSession};

/// Enough to go from the terminal to the browser, and little for whoever reads the terminal afterwards.
pub(super) const LINK_LIFE: Duration = Duration::from_secs(30);
/// Links that wait to be used: a person who asks again has lost the one before.
const LINKS_MAX: usize = 4;
/// A page that is left open asks for a new link the next day.
const SESSION_LIFE: Duration = Duration::from_hours(24);
/// One for each tab that somebody opened with a link of its own.
const SESSIONS_MAX: usize = 16;

/// The links and sessions that count.
#[derive(Debug)]
pub(super) struct Logins {
    links: Issued<GuiLink>,
    sessions: Issued<GuiSession>,
}

impl Logins {
    pub(super) fn new() -> Self {
        Self { links: Issued::new(LINKS_MAX, LINK_LIFE), sessions: Issued::new(SESSIONS_MAX, SESSION_LIFE) }
    }

    pub(super) fn add_link(&mut self, link: GuiLink, now: Instant) {
        self.links.add(link, now);
    }

    /// Trades a link for a session; whether it was one that counts. It never is again.
    pub(super) fn open(&mut self, link: &GuiLink, session: GuiSession, now: Instant) -> bool {
        let opens = self.links.take(link, now);
        if opens {
            self.sessions.add(session, now);
        }
        opens
    }

    pub(super) fn admits(&self, session: &GuiSession, now: Instant) -> bool {
        self.sessions.has(session, now)
    }

    pub(super) fn close(&mut self, session: &GuiSession, now: Instant) {
        self.sessions.take(session, now);
    }
}

/// Secrets that were handed out, the oldest first: bounded in number and in age.
#[derive(Debug)]
struct Issued<T> {
    secrets: VecDeque<(T, Instant)>,
    most: usize,
    life: Duration,
}

impl<T: PartialEq> Issued<T> {
    fn new(most: usize, life: Duration) -> Self {
        Self { secrets: VecDeque::with_capacity(most), most, life }
    }

    fn add(&mut self, secret: T, now: Instant) {
        if self.secrets.len() == self.most {
            self.secrets.pop_front();
        }
        self.secrets.push_back((secret, now + self.life));
    }

    /// All are compared, each in constant time: how long it takes tells nothing of any.
    fn has(&self, secret: &T, now: Instant) -> bool {
        self.secrets.iter().filter(|(issued, end)| issued == secret && now < *end).count() > 0
    }

    fn take(&mut self, secret: &T, now: Instant) -> bool {
        let found = self.has(secret, now);
        self.secrets.retain(|(issued, end)| now < *end && issued != secret);
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(number: u8) -> GuiLink {
        GuiLink::from_bytes([number; 32])
    }

    fn session(number: u8) -> GuiSession {
        GuiSession::from_bytes([number; 32])
    }

    #[test]
    fn a_fresh_daemon_admits_nobody() {
        let (mut logins, now) = (Logins::new(), crate::clock::now());
        assert!(!logins.open(&link(0), session(0), now), "not even zeros");
        assert!(!logins.admits(&session(0), now));
    }

    #[test]
    fn a_link_opens_one_session_and_only_in_time() {
        let (mut logins, now) = (Logins::new(), crate::clock::now());
        logins.add_link(link(1), now);
        assert!(!logins.open(&link(2), session(2), now), "another link");
        assert!(logins.open(&link(1), session(1), now));
        assert!(!logins.open(&link(1), session(3), now), "used once");
        assert!(logins.admits(&session(1), now));
        assert!(!logins.admits(&session(3), now));

        logins.add_link(link(4), now);
        assert!(!logins.open(&link(4), session(4), now + LINK_LIFE), "too late");
        assert!(logins.admits(&session(1), now + LINK_LIFE));
        assert!(!logins.admits(&session(1), now + SESSION_LIFE), "a day later");
        logins.close(&session(1), now);
        assert!(!logins.admits(&session(1), now), "closed");
    }

    #[test]
    fn new_ones_push_out_the_oldest() {
        let (mut logins, now) = (Logins::new(), crate::clock::now());
        for number in 0..=u8::try_from(SESSIONS_MAX).unwrap() {
            logins.add_link(link(number), now);
            assert!(logins.open(&link(number), session(number), now));
        }
        assert!(!logins.admits(&session(0), now));
        assert!(logins.admits(&session(1), now));
    }

    proptest! {
        /// Against the plain history of what was handed out and taken.
        #[test]
        fn what_counts_is_what_was_issued_lately_and_not_taken(
            steps in prop::collection::vec((0_u8..6, any::<bool>(), 0_u64..20), 1..60),
        ) {
            let start = crate::clock::now();
            let mut issued = Issued::new(LINKS_MAX, LINK_LIFE);
            let mut history: Vec<(u8, u64)> = Vec::new();
            let mut second = 0;
            for (number, adds, later) in steps {
                second += later;
                let now = start + Duration::from_secs(second);
                if adds {
                    issued.add(number, now);
                    history.push((number, second));
                    if history.len() > LINKS_MAX {
                        history.remove(0);
                    }
                } else {
                    let is_young = |at: u64| second < at + LINK_LIFE.as_secs();
                    let expected = history.iter().any(|&(given, at)| given == number && is_young(at));
                    prop_assert_eq!(issued.has(&number, now), expected);
                    prop_assert_eq!(issued.take(&number, now), expected);
                    history.retain(|&(given, at)| given != number && is_young(at));
                }
            }
        }
    }
}
