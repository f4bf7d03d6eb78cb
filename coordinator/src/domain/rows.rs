//! The sessions that are there, row by row, in parts with a lock each.
//!
//! A search has every session poll at once, on all workers: a poll takes the lock of its own part and no other. All else
//! goes on under the lock of the whole domain, and takes those of parts within it, one at a time.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use super::{
    batch::Cursor,
    bucket::Bucket,
    mailbox::Mailbox,
    sessions::{Claim, HashedName, LineageHash, Proof, SessionId},
};

/// More than workers, so that two of them seldom meet; a power of two, so that all are alike.
const PARTS: usize = 64;

/// Tells one poll of a session from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PollTicket(u64);

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: HashedName,
    pub(crate) lineage: LineageHash,
    pub(super) proof: Proof,
    pub(super) lease_until: Instant,
    live_poll: Option<PollTicket>,
    /// What wakes the live poll; it is kept for the shell, and never called here.
    waker: Option<Waker>,
    polls_begun: u64,
    pub(super) polls: Bucket,
    pub(super) epoch: u64,
    pub(super) mailbox: Mailbox,
    /// The last search that was acknowledged.
    pub(super) ring: u64,
}

impl Session {
    pub(super) fn new(claim: &Claim, ring: u64, lease_until: Instant, now: Instant) -> Self {
        Self {
            name: claim.name,
            lineage: claim.lineage,
            proof: claim.proof,
            lease_until,
            live_poll: None,
            waker: None,
            polls_begun: 0,
            polls: Bucket::full(now),
            epoch: claim.epoch,
            mailbox: Mailbox::new(),
            ring,
        }
    }

    pub(super) fn has_lapsed(&self, now: Instant) -> bool {
        self.live_poll.is_none() && self.lease_until <= now
    }

    pub(super) fn is_polling(&self) -> bool {
        self.live_poll.is_some()
    }

    pub(super) fn is_live(&self, ticket: PollTicket) -> bool {
        self.live_poll == Some(ticket)
    }

    /// Makes a new poll the live one; what wakes the one before comes back, so that it sees that.
    pub(super) fn begin_poll(&mut self) -> (PollTicket, Option<Waker>) {
        self.polls_begun += 1;
        let ticket = PollTicket(self.polls_begun);
        self.live_poll = Some(ticket);
        (ticket, self.waker.take())
    }

    /// The lease begins anew, unless a newer poll is live.
    pub(super) fn end_poll(&mut self, ticket: PollTicket, lease: Duration, now: Instant) {
        if self.is_live(ticket) {
            self.live_poll = None;
            self.waker = None;
            self.lease_until = now + lease;
        }
    }

    /// What wakes the live poll when there is something to read.
    pub(super) fn wake_by(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    pub(super) fn waker(&self) -> Option<&Waker> {
        self.waker.as_ref()
    }

    pub(super) fn cursor(&self, mailbox: u64, ring: u64) -> Cursor {
        Cursor { epoch: self.epoch, mailbox, ring }
    }

    /// Whether this session can have been given the cursor.
    pub(super) fn knows(&self, cursor: Cursor, ring_youngest: u64) -> bool {
        cursor.epoch == self.epoch
            && cursor.mailbox <= self.mailbox.youngest()
            && cursor.ring <= ring_youngest
    }
}

/// On cache lines of its own: who takes one lock does not slow down who takes the next.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    rows: HashMap<SessionId, Session>,
    live_polls: usize,
}

#[derive(Debug)]
pub(crate) struct Rows {
    parts: [Mutex<Part>; PARTS],
    /// Of all mailboxes.
    mail_bytes: AtomicUsize,
}

impl Rows {
    pub(super) fn new() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), mail_bytes: AtomicUsize::new(0) }
    }

    pub(super) fn mail_bytes(&self) -> usize {
        self.mail_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn live_polls(&self) -> usize {
        self.parts.iter().map(|part| lock(part).live_polls).sum()
    }

    pub(super) fn insert(&self, id: SessionId, session: Session) {
        self.part(id).rows.insert(id, session);
    }

    /// Takes a row out, if that is how it is.
    pub(super) fn remove_if(
        &self,
        id: SessionId,
        condition: impl FnOnce(&Session) -> bool,
    ) -> Option<Session> {
        let mut part = self.part(id);
        if !part.rows.get(&id).is_some_and(condition) {
            return None;
        }
        let session = part.rows.remove(&id)?;
        part.live_polls -= usize::from(session.is_polling());
        self.mail_bytes.fetch_sub(session.mailbox.bytes(), Ordering::Relaxed);
        Some(session)
    }

    /// Looks at a row, or changes it; also at one that has lapsed.
    pub(super) fn with<T>(&self, id: SessionId, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut part = self.part(id);
        let Part { rows, live_polls } = &mut *part;
        let session = rows.get_mut(&id)?;
        let (bytes, was_polling) = (session.mailbox.bytes(), session.is_polling());
        let result = change(session);
        *live_polls = *live_polls + usize::from(session.is_polling()) - usize::from(was_polling);
        let added = session.mailbox.bytes().wrapping_sub(bytes);
        if added != 0 {
            // Wraps around where it is less: the sum is right all the same.
            self.mail_bytes.fetch_add(added, Ordering::Relaxed);
        }
        Some(result)
    }

    /// The same, if it is there still.
    pub(super) fn with_live<T>(
        &self,
        id: SessionId,
        now: Instant,
        change: impl FnOnce(&mut Session) -> T,
    ) -> Option<T> {
        self.with(id, |session| (!session.has_lapsed(now)).then(|| change(session))).flatten()
    }

    /// An id is a hash: all parts have as much.
    fn part(&self, SessionId(id): SessionId) -> MutexGuard<'_, Part> {
        lock(&self.parts[usize::from(id[0]) % PARTS])
    }
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
