//! Polls: the cursor of each acknowledges what the one before was given, and only the latest of a session reads.

use std::{
    task::Waker,
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{
    Domain,
    batch::{Batch, BatchBuilder, Cursor},
    mailbox::Mailbox,
    sessions::{PollTicket, SessionId},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum PollError {
    #[error("the session has ended")]
    SessionEnded,
    #[error("the cursor is not one of this session")]
    CursorInvalid,
    #[error("a newer poll of the session took over")]
    Superseded,
    #[error("the session polls too often")]
    TooOften { retry_after: Duration },
}

impl Domain {
    /// Acknowledges what the cursor names and makes this the session's live poll: an older one reads no more.
    pub(crate) fn begin_poll(
        &mut self,
        id: SessionId,
        cursor: Option<Cursor>,
        now: Instant,
    ) -> Result<PollTicket, PollError> {
        let allowed = self.sessions.may_poll(id, now).ok_or(PollError::SessionEnded)?;
        allowed.map_err(|retry_after| PollError::TooOften { retry_after })?;
        let ring_youngest = self.ring.youngest();
        let session = self.sessions.get_mut(id, now).ok_or(PollError::SessionEnded)?;
        if let Some(cursor) = cursor {
            if !session.knows(cursor, ring_youngest) {
                return Err(PollError::CursorInvalid);
            }
            session.ring = session.ring.max(cursor.ring);
            let acknowledge = |mailbox: &mut Mailbox| {
                mailbox.acknowledge(cursor.mailbox);
                mailbox.is_empty()
            };
            if self.sessions.with_mailbox(id, now, acknowledge) == Some(true) {
                self.holding.remove(&id);
            }
        }
        self.sessions.begin_poll(id, now).ok_or(PollError::SessionEnded)
    }

    /// What there is to read; `None` when there is nothing. Takes nothing out.
    pub(crate) fn read(
        &self,
        id: SessionId,
        ticket: PollTicket,
        now: Instant,
    ) -> Result<Option<Batch>, PollError> {
        let session = self.sessions.get(id, now).ok_or(PollError::SessionEnded)?;
        if !session.is_live(ticket) {
            return Err(PollError::Superseded);
        }
        let mut builder = BatchBuilder::new(self.rules.batch_bytes);
        let mailbox = session.mailbox.read(now, &mut builder);
        let ring = self.ring.read(session.ring, id, now, &mut builder);
        let events = builder.finish();
        Ok((!events.is_empty()).then(|| Batch { cursor: session.cursor(mailbox, ring), events }))
    }

    /// What wakes the session's live poll from now on.
    pub(crate) fn wake_by(&mut self, id: SessionId, waker: &Waker, now: Instant) {
        if let Some(session) = self.sessions.get_mut(id, now) {
            session.wake_by(waker);
        }
    }

    pub(crate) fn waker(&self, id: SessionId, now: Instant) -> Option<&Waker> {
        self.sessions.get(id, now)?.waker()
    }

    pub(crate) fn end_poll(&mut self, id: SessionId, ticket: PollTicket, now: Instant) {
        self.sessions.end_poll(id, ticket, now);
    }
}
