//! When a connection has to end because of what it carried.
//!
//! The HTTP library keeps the bytes of a connection's last requests and answers in its buffers until others take
//! their place or the connection ends, and a peer polls over one connection for as long as it is there. So a
//! connection that carried content (a call with a body; what polls hear goes past these buffers, see
//! [`bypass`](crate::bypass)) gets a time:
//!
//! ```text
//!   clean ──content──▶ marked ──its time has come──▶ the next answer closes it ──▶ buffers freed, and zeroed
//! ```
//! The time is random, so that peers who connected or answered together don't all come back in one instant. A parked poll
//! is answered a little after it at the latest, and what no longer calls is closed by the keep-alive time.
//!
//! Closing is what a peer costs most, so it is done along with something else where that can be: with an answer
//! that there is anyway, for which the parked poll has the little while; and otherwise at one of few instants,
//! together with others, for waking up is much of the work.

use std::{
    cell::Cell,
    net::IpAddr,
    ops::RangeInclusive,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::HttpRequest;
use prometheus_client::metrics::gauge::Gauge;
use zeroize::Zeroizing;

use crate::{bypass::Outbox, domain::sessions::SessionId, pace::Calls};

/// Parked polls are answered for this at whole multiples of it. A hundredth of the time that peers are spread over:
/// of 15,000 peers that answered one search, 150 come back together.
const BEAT: Duration = Duration::from_millis(250);
/// Of the time within which a connection has to close, so much is for waiting for an answer to do it with. Within
/// it are, of all who answered one search, at most a fifth when the next one comes: so many come back together then.
const WAIT_FOR_ANSWER: u32 = 6;

/// When a connection that carried content ends.
#[derive(Debug, Clone, Copy)]
struct Closing {
    /// An answer given from then on is the last.
    from: Instant,
    /// A poll is parked until then at most.
    by: Instant,
}

/// What the server knows of one connection. One worker has it, and calls on it come one after the other. What its
/// streams know is here as well, for thousands of connections are woken at once, and each place to look at costs.
pub(crate) struct Connection {
    pub(crate) calls: Calls,
    pub(crate) outbox: Outbox,
    closing: Cell<Option<Closing>>,
    /// What beats are counted from, for all connections alike.
    start: Instant,
    open: Gauge,
    headers: Cell<CallHeaders>,
}

/// What the headers of the call under way say.
#[derive(Default)]
pub(crate) struct CallHeaders {
    pub(crate) session: Option<SessionId>,
    /// The caller's address, as far as it can be observed.
    pub(crate) observed: Option<IpAddr>,
    pub(crate) name_token: Option<Zeroizing<String>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Connection {
    /// That of a socket which is accepted. `open` counts them; `start` is when the server began.
    pub(crate) fn new(open: &Gauge, start: Instant) -> Self {
        open.inc();
        Self {
            calls: Calls::default(),
            outbox: Outbox::default(),
            closing: Cell::new(None),
            start,
            open: open.clone(),
            headers: Cell::default(),
        }
    }

    /// The one that a call came on.
    pub(crate) fn of(request: &HttpRequest) -> Option<&Self> {
        request.conn_data::<Rc<Self>>().map(|connection| &**connection)
    }

    /// Keeps what the headers of the call under way say.
    pub(crate) fn keep(&self, headers: CallHeaders) {
        self.headers.set(headers);
    }

    /// The call is answered: nothing that it brought is kept.
    pub(crate) fn end_call(&self) {
        self.headers.take();
        self.calls.end();
    }

    pub(crate) fn session(&self) -> Option<SessionId> {
        self.look(|headers| headers.session)
    }

    pub(crate) fn observed(&self) -> Option<IpAddr> {
        self.look(|headers| headers.observed)
    }

    pub(crate) fn take_name_token(&self) -> Option<Zeroizing<String>> {
        let mut headers = self.headers.take();
        let name_token = headers.name_token.take();
        self.headers.set(headers);
        name_token
    }

    fn look<T>(&self, look: impl FnOnce(&CallHeaders) -> T) -> T {
        let headers = self.headers.take();
        let seen = look(&headers);
        self.headers.set(headers);
        seen
    }

    /// Content passes: the connection is to be closed so long after it. What came first counts.
    pub(crate) fn carries_content(&self, now: Instant, within: RangeInclusive<Duration>) {
        if self.closing.get().is_none() {
            let (least, most) = within.into_inner();
            let for_answer = most.saturating_sub(least) / WAIT_FOR_ANSWER;
            let from = now + rand::random_range(least..=most.saturating_sub(for_answer));
            let by = last_beat(self.start, from + for_answer).max(from);
            self.closing.set(Some(Closing { from, by }));
        }
    }

    /// Nothing more can be read from the connection: the next answer closes it.
    pub(crate) fn is_broken(&self, now: Instant) {
        self.closing.set(Some(Closing { from: now, by: now }));
    }

    /// Until when a poll may be parked.
    pub(crate) fn close_by(&self) -> Option<Instant> {
        self.closing.get().map(|closing| closing.by)
    }

    /// Whether an answer given now is to be the last.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.closing.get().is_some_and(|closing| closing.from <= now)
    }
}

/// The latest instant up to `at` that is a whole number of beats after `start`.
fn last_beat(start: Instant, at: Instant) -> Instant {
    let since_beat = at.saturating_duration_since(start).as_nanos() % BEAT.as_nanos();
    at.checked_sub(Duration::from_nanos(u64::try_from(since_beat).unwrap_or(0))).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn within() -> RangeInclusive<Duration> {
        Duration::from_secs(20)..=Duration::from_secs(50)
    }

    #[test]
    fn the_first_content_sets_the_time_and_later_content_does_not_put_it_off() {
        let open = Gauge::default();
        let now = crate::clock::now();
        let connection = Connection::new(&open, now);
        assert_eq!(open.get(), 1);
        assert_eq!(connection.close_by(), None);
        assert!(!connection.is_due(now + Duration::from_hours(1)), "what carried nothing stays");

        connection.carries_content(now, within());
        let close_by = connection.close_by().unwrap();
        assert!(within().contains(&(close_by - now)));
        assert!(connection.is_due(close_by), "the answer that a parked poll gets is the last");
        connection.carries_content(now + Duration::from_secs(15), within());
        assert_eq!(connection.close_by(), Some(close_by));
        assert!(!connection.is_due(now + Duration::from_secs(19)));
        assert!(connection.is_due(now + Duration::from_secs(50)));
        drop(connection);
        assert_eq!(open.get(), 0);
    }

    #[test]
    fn of_many_who_answered_one_search_few_come_back_together_and_none_too_late() {
        let start = crate::clock::now();
        let (mut cut, mut waiting) = (HashMap::<Instant, usize>::new(), 0);
        for _ in 0..5_000 {
            let connection = Connection::new(&Gauge::default(), start);
            let answered = start + Duration::from_millis(100);
            connection.carries_content(answered, within());
            let by = connection.close_by().unwrap();
            assert!(within().contains(&(by - answered)), "{:?}", by - answered);
            assert_eq!((by - start).as_millis() % BEAT.as_millis(), 0);
            *cut.entry(by).or_default() += 1;
            let next_search = answered + Duration::from_secs(35);
            waiting += usize::from(connection.is_due(next_search) && by > next_search);
        }
        assert!(cut.values().all(|together| *together < 5_000 / 50), "{cut:?}");
        assert!(waiting < 5_000 / 4, "{waiting} come back with the next search");
    }

    /// A range without room, as a configuration may have it.
    #[test]
    fn the_time_may_be_fixed() {
        let start = crate::clock::now();
        let connection = Connection::new(&Gauge::default(), start);
        let at = Duration::from_millis(1_100);
        connection.carries_content(start, at..=at);
        assert_eq!(connection.close_by(), Some(start + at));
        assert!(connection.is_due(start + at) && !connection.is_due(start + Duration::from_secs(1)));
    }
}
