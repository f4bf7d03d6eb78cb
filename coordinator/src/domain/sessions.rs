//! Who holds which name, without knowing the name: a row has keyed hashes only.
//!
//! ```text
//!              claim                 poll begins
//!   (no row) ────────▶ leased until ─────────────▶ polling
//!       ▲                   │  ▲                      │
//!       └──lapsed, released─┘  └──────poll ended──────┘   (and the lease starts anew)
//! ```
//! A claim of a held name is refused and does not touch the holder, with two exceptions: the same session
//! again, and a claim with proof of the holder's lineage.

use std::{
    collections::HashMap,
    mem,
    task::Waker,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    batch::Cursor,
    bucket::{Bucket, Rate},
    deadlines::Deadlines,
    mailbox::Mailbox,
};

/// A session is known by the hash of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionId(pub(crate) [u8; 16]);

/// A username as the coordinator remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HashedName {
    /// Keyed hash of the skeleton: names that look alike have the same one.
    pub(crate) skeleton: [u8; 16],
    /// Keyed hash of the comparison key: the same name only.
    pub(crate) exact: [u8; 16],
}

/// Hash of a lineage: the chain of sessions of one peer under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LineageHash(pub(crate) [u8; 16]);

/// A wish to hold a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) session: SessionId,
    pub(crate) name: HashedName,
    pub(crate) lineage: LineageHash,
    pub(crate) proof: Proof,
    /// Random, for the session's cursors.
    pub(crate) epoch: u64,
}

/// What the claimant showed for its lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Proof {
    /// Nothing: the lineage begins here.
    None,
    /// A name token that this process issued.
    Recent,
    /// A name token from before this process started: the peer held the name then.
    BeforeStart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ClaimError {
    #[error("the name, or one that looks like it, is held by another session")]
    Taken,
    #[error("the session holds another name")]
    SessionInUse,
    #[error("no further session fits")]
    Full,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionRules {
    pub(crate) lease: Duration,
    pub(crate) sessions_max: usize,
    pub(crate) polls: Rate,
    /// Until then a proof from before the start outweighs a claim made without one. Only where the sealing
    /// key outlives the process, as otherwise there is no such proof.
    pub(crate) takeover_until: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: HashedName,
    pub(crate) lineage: LineageHash,
    proof: Proof,
    lease_until: Instant,
    live_poll: Option<PollTicket>,
    /// What wakes the live poll; it is kept for the shell, and never called here.
    waker: Option<Waker>,
    polls_begun: u64,
    polls: Bucket,
    epoch: u64,
    pub(crate) mailbox: Mailbox,
    /// The last search that was acknowledged.
    pub(crate) ring: u64,
}

/// Tells one poll of a session from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PollTicket(u64);

impl Session {
    fn has_lapsed(&self, now: Instant) -> bool {
        self.live_poll.is_none() && self.lease_until <= now
    }

    pub(crate) fn is_live(&self, ticket: PollTicket) -> bool {
        self.live_poll == Some(ticket)
    }

    /// What wakes the live poll when there is something to read.
    pub(crate) fn wake_by(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    pub(crate) fn waker(&self) -> Option<&Waker> {
        self.waker.as_ref()
    }

    pub(crate) fn cursor(&self, mailbox: u64, ring: u64) -> Cursor {
        Cursor { epoch: self.epoch, mailbox, ring }
    }

    /// Whether this session can have been given the cursor.
    pub(crate) fn knows(&self, cursor: Cursor, ring_youngest: u64) -> bool {
        cursor.epoch == self.epoch
            && cursor.mailbox <= self.mailbox.youngest()
            && cursor.ring <= ring_youngest
    }
}

#[derive(Debug)]
pub(crate) struct Sessions {
    rules: SessionRules,
    rows: HashMap<SessionId, Session>,
    by_skeleton: HashMap<[u8; 16], SessionId>,
    /// Each of one row: a session that comes back begins a new one, with an epoch of its own.
    leases: Deadlines<(SessionId, u64)>,
    /// Of all mailboxes.
    mail_bytes: usize,
    live_polls: usize,
    /// What wakes the polls that are not live any more, so that they see it.
    overtaken: Vec<Waker>,
    /// Whose mailbox takes the mail to names that nobody holds. It is a session like any other, so that the work
    /// is the same; only that nobody has its token or its name, and that it is emptied by every sweep.
    nobody: SessionId,
}

/// Who nobody is: random, from the shell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nobody {
    pub(crate) session: SessionId,
    pub(crate) name: HashedName,
}

impl Sessions {
    pub(crate) fn new(rules: SessionRules, nobody: Nobody, now: Instant) -> Self {
        let mut sessions = Self {
            rules,
            rows: HashMap::new(),
            by_skeleton: HashMap::new(),
            leases: Deadlines::new(),
            mail_bytes: 0,
            live_polls: 0,
            overtaken: Vec::new(),
            nobody: nobody.session,
        };
        let claim = Claim {
            session: nobody.session,
            name: nobody.name,
            lineage: LineageHash([0; 16]),
            proof: Proof::None,
            epoch: 0,
        };
        sessions.insert(&claim, 0, now);
        if let Some(row) = sessions.rows.get_mut(&nobody.session) {
            // A poll that never ends: the lease does not lapse.
            row.live_poll = Some(PollTicket(0));
        }
        sessions
    }

    /// A time at which a takeover ends is kept: it was set by the start.
    pub(crate) fn change_rules(&mut self, rules: SessionRules) {
        self.rules = SessionRules { takeover_until: self.rules.takeover_until, ..rules };
    }

    /// All but nobody.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() - 1
    }

    pub(crate) fn mail_bytes(&self) -> usize {
        self.mail_bytes
    }

    pub(crate) fn nobody(&self) -> SessionId {
        self.nobody
    }

    /// Gives the name to the claimant; the session that had to go for it, if any, is told.
    /// `ring` is where the new session begins to read searches.
    pub(crate) fn claim(
        &mut self,
        claim: &Claim,
        ring: u64,
        now: Instant,
    ) -> Result<Option<SessionId>, ClaimError> {
        if self.rows.get(&claim.session).is_some_and(|row| row.has_lapsed(now)) {
            self.remove(claim.session);
        }
        let lease_until = now + self.rules.lease;
        if let Some(row) = self.rows.get_mut(&claim.session) {
            if row.name != claim.name {
                return Err(ClaimError::SessionInUse);
            }
            row.lineage = claim.lineage;
            row.proof = row.proof.max(claim.proof);
            row.lease_until = lease_until;
            return Ok(None);
        }
        let holder = self.by_skeleton.get(&claim.name.skeleton).copied();
        if let Some(row) = holder.and_then(|holder| self.rows.get(&holder))
            && !row.has_lapsed(now)
            && !self.may_replace(row, claim, now)
        {
            return Err(ClaimError::Taken);
        }
        if holder.is_none() && self.len() >= self.rules.sessions_max {
            return Err(ClaimError::Full);
        }
        if let Some(holder) = holder {
            self.remove(holder);
        }
        self.insert(claim, ring, now);
        Ok(holder)
    }

    fn insert(&mut self, claim: &Claim, ring: u64, now: Instant) {
        let lease_until = now + self.rules.lease;
        let session = Session {
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
        };
        self.rows.insert(claim.session, session);
        self.by_skeleton.insert(claim.name.skeleton, claim.session);
        self.leases.schedule(lease_until, (claim.session, claim.epoch));
    }

    fn may_replace(&self, holder: &Session, claim: &Claim, now: Instant) -> bool {
        let same_lineage = claim.proof > Proof::None && holder.lineage == claim.lineage;
        let in_takeover = self.rules.takeover_until.is_some_and(|until| now < until);
        same_lineage || in_takeover && claim.proof == Proof::BeforeStart && holder.proof < Proof::BeforeStart
    }

    pub(crate) fn get(&self, id: SessionId, now: Instant) -> Option<&Session> {
        self.rows.get(&id).filter(|session| !session.has_lapsed(now))
    }

    pub(crate) fn get_mut(&mut self, id: SessionId, now: Instant) -> Option<&mut Session> {
        self.rows.get_mut(&id).filter(|session| !session.has_lapsed(now))
    }

    /// Makes a new poll the session's live one.
    pub(crate) fn begin_poll(&mut self, id: SessionId, now: Instant) -> Option<PollTicket> {
        let session = self.rows.get_mut(&id).filter(|session| !session.has_lapsed(now))?;
        session.polls_begun += 1;
        let ticket = PollTicket(session.polls_begun);
        if session.live_poll.replace(ticket).is_none() {
            self.live_polls += 1;
        }
        self.overtaken.extend(session.waker.take());
        Some(ticket)
    }

    /// The lease begins anew, unless a newer poll is live.
    pub(crate) fn end_poll(&mut self, id: SessionId, ticket: PollTicket, now: Instant) {
        if let Some(session) = self.rows.get_mut(&id).filter(|session| session.is_live(ticket)) {
            session.live_poll = None;
            session.waker = None;
            session.lease_until = now + self.rules.lease;
            self.live_polls -= 1;
        }
    }

    pub(crate) fn live_polls(&self) -> usize {
        self.live_polls
    }

    pub(crate) fn has_overtaken(&self) -> bool {
        !self.overtaken.is_empty()
    }

    pub(crate) fn take_overtaken(&mut self) -> Vec<Waker> {
        mem::take(&mut self.overtaken)
    }

    /// Takes a poll out of the session's budget, or tells how long to wait for it.
    pub(crate) fn may_poll(&mut self, id: SessionId, now: Instant) -> Option<Result<(), Duration>> {
        let rate = self.rules.polls;
        self.get_mut(id, now).map(|session| session.polls.take(rate, now))
    }

    /// Lets a change at a session's mailbox, and keeps the sum of all.
    pub(crate) fn with_mailbox<T>(
        &mut self,
        id: SessionId,
        now: Instant,
        change: impl FnOnce(&mut Mailbox) -> T,
    ) -> Option<T> {
        let session = self.rows.get_mut(&id).filter(|session| !session.has_lapsed(now))?;
        let before = session.mailbox.bytes();
        let result = change(&mut session.mailbox);
        self.mail_bytes = self.mail_bytes + session.mailbox.bytes() - before;
        Some(result)
    }

    /// The session that holds exactly this name; one that merely looks alike is not it.
    pub(crate) fn find(&self, name: HashedName, now: Instant) -> Option<SessionId> {
        let id = *self.by_skeleton.get(&name.skeleton)?;
        self.get(id, now).filter(|session| session.name == name).map(|_| id)
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let mut session = self.rows.remove(&id)?;
        self.by_skeleton.remove(&session.name.skeleton);
        self.mail_bytes -= session.mailbox.bytes();
        self.live_polls -= usize::from(session.live_poll.is_some());
        self.overtaken.extend(session.waker.take());
        Some(session)
    }

    /// Drops sessions whose lease has lapsed.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((id, epoch)) = self.leases.pop_due(now) {
            let Some(session) = self.rows.get(&id).filter(|row| row.epoch == epoch) else { continue };
            if session.has_lapsed(now) {
                self.remove(id);
            } else {
                let again =
                    if session.live_poll.is_some() { now + self.rules.lease } else { session.lease_until };
                self.leases.schedule(again, (id, epoch));
            }
        }
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
