//! Polls: the cursor of each acknowledges what the one before was given, and only the latest of a session reads.
//!
//! They take the lock of a part of the sessions, and none that all have to wait for; the ring of searches is replaced
//! as a whole when it changes.

use std::{
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use thiserror::Error;

use super::{
    batch::{Batch, BatchBuilder, Cursor},
    bucket::Rate,
    rows::{Rows, Session},
    search_ring::SearchRing,
    sessions::{HashedName, LineageHash, SessionId},
};

pub(crate) use super::rows::PollTicket;

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

#[derive(Debug, Clone, Copy)]
pub(crate) struct PollRules {
    pub(crate) rate: Rate,
    /// From the end of a poll.
    pub(crate) lease: Duration,
    pub(crate) batch_bytes: usize,
}

/// What a look found.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) batch: Option<Batch>,
    /// Of the poll, while it goes on.
    pub(crate) ticket: Option<PollTicket>,
    /// Wakes a poll that is not the session's live one any more.
    pub(crate) overtaken: Option<Waker>,
}

#[derive(Debug)]
pub(crate) struct Polls {
    rows: Arc<Rows>,
    ring: Arc<ArcSwap<SearchRing>>,
    rules: ArcSwap<PollRules>,
}

impl Polls {
    pub(super) fn new(rows: Arc<Rows>, ring: Arc<ArcSwap<SearchRing>>, rules: PollRules) -> Self {
        Self { rows, ring, rules: ArcSwap::from_pointee(rules) }
    }

    pub(super) fn change_rules(&self, rules: PollRules) {
        self.rules.store(Arc::new(rules));
    }

    /// Begins a poll that has no ticket yet, and tells what there is to read. Most polls that come while searches run
    /// find something at once, which ends them; the waker is for what comes later.
    pub(crate) fn look(
        &self,
        id: SessionId,
        ticket: Option<PollTicket>,
        cursor: Option<Cursor>,
        waker: &Waker,
        now: Instant,
    ) -> Result<Looked, PollError> {
        let (ring, rules) = (self.ring.load(), self.rules.load());
        let looked = self.rows.with_live(id, now, |session| {
            let (ticket, overtaken) = match ticket {
                Some(ticket) => (ticket, None),
                None => begin(session, cursor, ring.youngest(), rules.rate, now)?,
            };
            if !session.is_live(ticket) {
                return Err(PollError::Superseded);
            }
            let batch = read(session, id, &ring, rules.batch_bytes, now);
            if batch.is_some() {
                session.end_poll(ticket, rules.lease, now);
                return Ok(Looked { batch, ticket: None, overtaken });
            }
            session.wake_by(waker);
            Ok(Looked { batch, ticket: Some(ticket), overtaken })
        });
        looked.ok_or(PollError::SessionEnded)?
    }

    /// What a session's row says.
    pub(crate) fn who_is(&self, id: SessionId, now: Instant) -> Option<(HashedName, LineageHash)> {
        self.rows.with_live(id, now, |session| (session.name, session.lineage))
    }

    /// However it ended.
    pub(crate) fn end(&self, id: SessionId, ticket: PollTicket, now: Instant) {
        let lease = self.rules.load().lease;
        self.rows.with(id, |session| session.end_poll(ticket, lease, now));
    }

    /// Wakes the session's live poll, if there is one.
    pub(crate) fn wake(&self, id: SessionId, now: Instant) {
        let waker = self.rows.with_live(id, now, |session| session.waker().cloned());
        waker.flatten().inspect(Waker::wake_by_ref);
    }
}

/// Acknowledges what the cursor names and makes this the session's live poll: an older one reads no more.
fn begin(
    session: &mut Session,
    cursor: Option<Cursor>,
    ring_youngest: u64,
    rate: Rate,
    now: Instant,
) -> Result<(PollTicket, Option<Waker>), PollError> {
    session.polls.take(rate, now).map_err(|retry_after| PollError::TooOften { retry_after })?;
    if let Some(cursor) = cursor {
        if !session.knows(cursor, ring_youngest) {
            return Err(PollError::CursorInvalid);
        }
        session.ring = session.ring.max(cursor.ring);
        session.mailbox.acknowledge(cursor.mailbox);
    }
    Ok(session.begin_poll())
}

/// What there is to read; `None` when there is nothing. Takes nothing out.
fn read(
    session: &Session,
    id: SessionId,
    ring: &SearchRing,
    bytes_max: usize,
    now: Instant,
) -> Option<Batch> {
    let mut builder = BatchBuilder::new(bytes_max);
    let mailbox = session.mailbox.read(now, &mut builder);
    let ring = ring.read(session.ring, id, now, &mut builder);
    let events = builder.finish();
    (!events.is_empty()).then(|| Batch { cursor: session.cursor(mailbox, ring), events })
}
