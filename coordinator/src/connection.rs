//! When a connection has to end because of what it carried.
//!
//! The HTTP library keeps the bytes of a connection's last requests and answers in its buffers until others take
//! their place or the connection ends, and a peer polls over one connection for as long as it is there. So a
//! connection that carried content (anything but a withdrawal, or a poll that heard nothing) gets a time:
//!
//! ```text
//!   clean ──content──▶ marked ──its time has come──▶ the next answer closes it ──▶ buffers freed, and zeroed
//! ```
//! The time is random, so that the peers who heard one search don't all come back in one instant. A parked poll
//! is answered when it comes, and what no longer calls is closed by the keep-alive time.

use std::{
    cell::Cell,
    net::IpAddr,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use actix_web::dev::Extensions;
use prometheus_client::metrics::gauge::Gauge;
use zeroize::Zeroizing;

use crate::domain::sessions::SessionId;

/// What the server knows of one connection. One worker has it, and calls on it come one after the other.
pub(crate) struct ConnectionMark {
    close_at: Cell<Option<Instant>>,
    open: Gauge,
    call: Cell<CallHeaders>,
}

/// What the headers of the call under way say.
#[derive(Default)]
pub(crate) struct CallHeaders {
    pub(crate) session: Option<SessionId>,
    /// The caller's address, as far as it can be observed.
    pub(crate) observed: Option<IpAddr>,
    pub(crate) name_token: Option<Zeroizing<String>>,
}

impl Drop for ConnectionMark {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl ConnectionMark {
    /// Given to each connection when it is accepted. `open` counts them.
    pub(crate) fn attach(open: &Gauge, data: &mut Extensions) {
        open.inc();
        data.insert(Self { close_at: Cell::new(None), open: open.clone(), call: Cell::default() });
    }

    pub(crate) fn begin_call(&self, headers: CallHeaders) {
        self.call.set(headers);
    }

    /// The call is answered: nothing that it brought is kept.
    pub(crate) fn end_call(&self) {
        self.call.take();
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        self.look(|call| call.session)
    }

    pub(crate) fn observed(&self) -> Option<IpAddr> {
        self.look(|call| call.observed)
    }

    pub(crate) fn take_name_token(&self) -> Option<Zeroizing<String>> {
        let mut call = self.call.take();
        let name_token = call.name_token.take();
        self.call.set(call);
        name_token
    }

    fn look<T>(&self, look: impl FnOnce(&CallHeaders) -> T) -> T {
        let call = self.call.take();
        let seen = look(&call);
        self.call.set(call);
        seen
    }

    /// Content passes: the connection is to be closed so long after it. What came first counts.
    pub(crate) fn carries_content(&self, now: Instant, within: RangeInclusive<Duration>) {
        if self.close_at.get().is_none() {
            self.close_at.set(Some(now + rand::random_range(within)));
        }
    }

    /// Nothing more can be read from the connection: the next answer closes it.
    pub(crate) fn is_broken(&self, now: Instant) {
        self.close_at.set(Some(now));
    }

    pub(crate) fn close_at(&self) -> Option<Instant> {
        self.close_at.get()
    }

    /// Whether an answer given now is to be the last.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.close_at.get().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_content_sets_the_time_and_later_content_does_not_put_it_off() {
        let open = Gauge::default();
        let mut data = Extensions::new();
        ConnectionMark::attach(&open, &mut data);
        assert_eq!(open.get(), 1);
        let mark = data.get::<ConnectionMark>().unwrap();
        let now = crate::clock::now();
        let within = || Duration::from_secs(20)..=Duration::from_secs(50);
        assert_eq!(mark.close_at(), None);
        assert!(!mark.is_due(now + Duration::from_hours(1)), "what carried nothing stays");

        mark.carries_content(now, within());
        let close_at = mark.close_at().unwrap();
        assert!(within().contains(&(close_at - now)));
        mark.carries_content(now + Duration::from_secs(15), within());
        assert_eq!(mark.close_at(), Some(close_at));
        assert!(!mark.is_due(now + Duration::from_secs(19)));
        assert!(mark.is_due(now + Duration::from_secs(50)));
        drop(data);
        assert_eq!(open.get(), 0);
    }
}
