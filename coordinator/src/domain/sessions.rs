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
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    deadlines::Deadlines,
    mailbox::Mailbox,
    rows::{Rows, Session},
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
    /// Until then a proof from before the start outweighs a claim made without one. Only where the sealing
    /// key outlives the process, as otherwise there is no such proof.
    pub(crate) takeover_until: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    rules: SessionRules,
    rows: Arc<Rows>,
    by_skeleton: HashMap<[u8; 16], SessionId>,
    /// Each of one row: a session that comes back begins a new one, with an epoch of its own.
    leases: Deadlines<(SessionId, u64)>,
    /// What wakes the polls of sessions that are gone, so that they see it.
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
            rows: Arc::new(Rows::new()),
            by_skeleton: HashMap::new(),
            leases: Deadlines::new(),
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
        // A poll that never ends: the lease does not lapse.
        sessions.rows.with(nobody.session, Session::begin_poll);
        sessions
    }

    pub(crate) fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// A time at which a takeover ends is kept: it was set by the start.
    pub(crate) fn change_rules(&mut self, rules: SessionRules) {
        self.rules = SessionRules { takeover_until: self.rules.takeover_until, ..rules };
    }

    /// All but nobody.
    pub(crate) fn len(&self) -> usize {
        self.by_skeleton.len() - 1
    }

    pub(crate) fn mail_bytes(&self) -> usize {
        self.rows.mail_bytes()
    }

    /// All but nobody's.
    pub(crate) fn live_polls(&self) -> usize {
        self.rows.live_polls() - 1
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
        self.remove_if(claim.session, |row| row.has_lapsed(now));
        let lease_until = now + self.rules.lease;
        let repeated = self.rows.with(claim.session, |row| {
            if row.name != claim.name {
                return Err(ClaimError::SessionInUse);
            }
            row.lineage = claim.lineage;
            row.proof = row.proof.max(claim.proof);
            row.lease_until = lease_until;
            Ok(None)
        });
        if let Some(repeated) = repeated {
            return repeated;
        }
        let holder = self.by_skeleton.get(&claim.name.skeleton).copied();
        let holds = |row: &mut Session| !row.has_lapsed(now) && !self.may_replace(row, claim, now);
        if holder.is_some_and(|holder| self.rows.with(holder, holds) == Some(true)) {
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
        self.rows.insert(claim.session, Session::new(claim, ring, lease_until, now));
        self.by_skeleton.insert(claim.name.skeleton, claim.session);
        self.leases.schedule(lease_until, (claim.session, claim.epoch));
    }

    fn may_replace(&self, holder: &Session, claim: &Claim, now: Instant) -> bool {
        let same_lineage = claim.proof > Proof::None && holder.lineage == claim.lineage;
        let in_takeover = self.rules.takeover_until.is_some_and(|until| now < until);
        same_lineage || in_takeover && claim.proof == Proof::BeforeStart && holder.proof < Proof::BeforeStart
    }

    pub(crate) fn is_there(&self, id: SessionId, now: Instant) -> bool {
        self.rows.with_live(id, now, |_| ()).is_some()
    }

    pub(crate) fn has_overtaken(&self) -> bool {
        !self.overtaken.is_empty()
    }

    pub(crate) fn take_overtaken(&mut self) -> Vec<Waker> {
        mem::take(&mut self.overtaken)
    }

    /// Lets a change at a session's mailbox.
    pub(crate) fn with_mailbox<T>(
        &self,
        id: SessionId,
        now: Instant,
        change: impl FnOnce(&mut Mailbox) -> T,
    ) -> Option<T> {
        self.rows.with_live(id, now, |session| change(&mut session.mailbox))
    }

    /// The session that holds exactly this name; one that merely looks alike is not it.
    pub(crate) fn find(&self, name: HashedName, now: Instant) -> Option<SessionId> {
        let id = *self.by_skeleton.get(&name.skeleton)?;
        let holds = self.rows.with_live(id, now, |session| session.name == name);
        (holds == Some(true)).then_some(id)
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        self.remove_if(id, |_| true);
    }

    /// Whether that is how it was.
    fn remove_if(&mut self, id: SessionId, condition: impl FnOnce(&Session) -> bool) -> bool {
        let removed = self.rows.remove_if(id, condition);
        if let Some(session) = &removed {
            self.by_skeleton.remove(&session.name.skeleton);
            self.overtaken.extend(session.waker().cloned());
        }
        removed.is_some()
    }

    /// Drops sessions whose lease has lapsed.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((id, epoch)) = self.leases.pop_due(now) {
            if self.remove_if(id, |session| session.epoch == epoch && session.has_lapsed(now)) {
                continue;
            }
            let again = self.rows.with(id, |session| {
                let again = if session.is_polling() { now + self.rules.lease } else { session.lease_until };
                (session.epoch == epoch).then_some(again)
            });
            if let Some(again) = again.flatten() {
                self.leases.schedule(again, (id, epoch));
            }
        }
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
