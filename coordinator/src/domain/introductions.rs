//! The introductions of the last minute: who asked whom. Neither the seal nor an address is kept here; they
//! pass through in events.
//!
//! ```text
//!   waiting ──queued──▶ queued ──accepted, dial_me, declined──▶ answered
//!      └──────────────accepted, dial_me, declined───────────────────▲
//! ```
//! Sending again keeps an introduction alive, withdrawing ends it at once, and otherwise it ends by itself. A
//! name that nobody holds makes an introduction like any other, so nothing tells who is online.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use protocol::{IntroductionId, introduction::Reply, limits::INTRODUCTION_WORD};
use thiserror::Error;

use super::{
    deadlines::Deadlines,
    sessions::{HashedName, SessionId},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct IntroductionRules {
    /// Counted from the last sending.
    pub(crate) lifetime: Duration,
    pub(crate) pending_max: usize,
    /// Over all requesters.
    pub(crate) remembered_max: usize,
}

/// All introductions of one requester, also those that are answered or withdrawn but still remembered, in
/// pending ones: makes the memory that a session can fill finite.
const REMEMBERED_PER_PENDING: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum IntroduceError {
    #[error("the id is in use for another introduction")]
    IdTaken,
    #[error("an introduction to this name still waits for its first word")]
    TargetPending { retry_after: Duration },
    #[error("the requester, or all together, have too many introductions")]
    TooMany,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no such introduction, or it is not the caller's")]
pub(crate) struct IntroductionOver;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Queued,
    Answered,
    Withdrawn,
}

impl State {
    fn is_pending(self) -> bool {
        matches!(self, Self::Waiting | Self::Queued)
    }
}

#[derive(Debug)]
struct Introduction {
    requester: SessionId,
    target: HashedName,
    state: State,
    sent: Instant,
    /// The target's word since the last sending, so that a repeated call is not told twice.
    last_reply: Option<Reply>,
}

#[derive(Debug)]
pub(crate) struct Introductions {
    rules: IntroductionRules,
    known: HashMap<IntroductionId, Introduction>,
    by_requester: HashMap<SessionId, Vec<IntroductionId>>,
    deadlines: Deadlines<IntroductionId>,
}

impl Introductions {
    pub(crate) fn new(rules: IntroductionRules) -> Self {
        Self { rules, known: HashMap::new(), by_requester: HashMap::new(), deadlines: Deadlines::new() }
    }

    pub(crate) fn change_rules(&mut self, rules: IntroductionRules) {
        self.rules = rules;
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whose introduction this is, if it is known.
    pub(crate) fn requester(&self, id: IntroductionId) -> Option<SessionId> {
        self.known.get(&id).map(|known| known.requester)
    }

    /// Begins an introduction, or keeps it alive. When an earlier one to the same target never got a word in
    /// the time that the protocol gives for it, the new one takes its place, and its id is told.
    pub(crate) fn send(
        &mut self,
        id: IntroductionId,
        requester: SessionId,
        target: HashedName,
        now: Instant,
    ) -> Result<Option<IntroductionId>, IntroduceError> {
        let pending = self.pending_of(requester);
        if let Some(known) = self.known.get_mut(&id) {
            if known.requester != requester || known.target != target {
                return Err(IntroduceError::IdTaken);
            }
            if !known.state.is_pending() {
                // Otherwise all that is remembered could be pending at once.
                if pending >= self.rules.pending_max {
                    return Err(IntroduceError::TooMany);
                }
                known.state = State::Waiting;
            }
            known.sent = now;
            known.last_reply = None;
            self.deadlines.schedule(now + self.rules.lifetime, id);
            return Ok(None);
        }
        let replaced = self.make_room(requester, target, now)?;
        if let Some(replaced) = replaced {
            self.forget(replaced);
        }
        let introduction =
            Introduction { requester, target, state: State::Waiting, sent: now, last_reply: None };
        self.known.insert(id, introduction);
        self.by_requester.entry(requester).or_default().push(id);
        self.deadlines.schedule(now + self.rules.lifetime, id);
        Ok(replaced)
    }

    /// Checks the requester's limits; tells which abandoned introduction has to go.
    fn make_room(
        &self,
        requester: SessionId,
        target: HashedName,
        now: Instant,
    ) -> Result<Option<IntroductionId>, IntroduceError> {
        let ids = self.by_requester.get(&requester).map_or(&[][..], Vec::as_slice);
        let of_requester = || ids.iter().filter_map(|id| Some((*id, self.known.get(id)?)));
        if self.pending_of(requester) >= self.rules.pending_max
            || self.known.len() >= self.rules.remembered_max
            || ids.len() >= self.rules.pending_max.saturating_mul(REMEMBERED_PER_PENDING)
        {
            return Err(IntroduceError::TooMany);
        }
        let waiting =
            of_requester().find(|(_, known)| known.target == target && known.state == State::Waiting);
        let Some((id, earlier)) = waiting else { return Ok(None) };
        let word_until = earlier.sent + INTRODUCTION_WORD;
        if word_until > now {
            return Err(IntroduceError::TargetPending { retry_after: word_until - now });
        }
        Ok(Some(id))
    }

    fn pending_of(&self, requester: SessionId) -> usize {
        let ids = self.by_requester.get(&requester).map_or(&[][..], Vec::as_slice);
        ids.iter().filter(|id| self.known.get(*id).is_some_and(|known| known.state.is_pending())).count()
    }

    /// Takes the target's word; the requester to tell, or `None` when it was told already.
    pub(crate) fn reply(
        &mut self,
        id: IntroductionId,
        target: HashedName,
        reply: &Reply,
        now: Instant,
    ) -> Result<Option<SessionId>, IntroductionOver> {
        let alive_since = self.rules.lifetime;
        let known = self
            .known
            .get_mut(&id)
            .filter(|known| known.target == target && known.sent + alive_since > now)
            .filter(|known| known.state != State::Withdrawn)
            .ok_or(IntroductionOver)?;
        if known.last_reply.as_ref() == Some(reply) {
            return Ok(None);
        }
        known.state = match reply {
            Reply::Queued { .. } => State::Queued,
            Reply::Accepted {} | Reply::DialMe { .. } | Reply::Declined { .. } => State::Answered,
        };
        known.last_reply = Some(reply.clone());
        Ok(Some(known.requester))
    }

    /// Ends an introduction for its maker; the target to tell, or `None` when it was withdrawn already.
    pub(crate) fn withdraw(
        &mut self,
        id: IntroductionId,
        requester: SessionId,
    ) -> Result<Option<HashedName>, IntroductionOver> {
        let known =
            self.known.get_mut(&id).filter(|known| known.requester == requester).ok_or(IntroductionOver)?;
        if known.state == State::Withdrawn {
            return Ok(None);
        }
        known.state = State::Withdrawn;
        known.last_reply = None;
        Ok(Some(known.target))
    }

    /// Drops introductions that were not sent again in time.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.pop_due(now) {
            // One that was sent again since has a later entry of its own.
            if self.known.get(&id).is_some_and(|known| known.sent + self.rules.lifetime <= now) {
                self.forget(id);
            }
        }
    }

    pub(crate) fn forget(&mut self, id: IntroductionId) {
        let Some(known) = self.known.remove(&id) else { return };
        if let Some(ids) = self.by_requester.get_mut(&known.requester) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_requester.remove(&known.requester);
            }
        }
    }
}

#[cfg(test)]
#[path = "introductions_tests.rs"]
mod tests;
