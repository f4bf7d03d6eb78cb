//! The seam between the handlers and where sessions and events live.
//!
//! Handlers know this trait and nothing behind it. Nothing in it assumes that all peers are connected to this
//! process: an implementation may speak to others. What crosses it are keyed hashes instead of names, except
//! where an event carries a name to a peer.

pub(crate) mod line;
pub(crate) mod memory;

use std::{sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use protocol::{
    IntroductionId, SearchId, Username,
    introduction::{HeardReply, Reply},
    search::{AnswerRequest, Subject},
};

use self::line::Line;
use crate::domain::{
    Counts, Introduction,
    batch::{Batch, Cursor},
    introductions::{IntroduceError, IntroductionOver},
    polls::PollError,
    searches::{SearchError, SearchOver},
    sessions::{Claim, ClaimError, HashedName, LineageHash, SessionId},
};

/// A session that made a call, with what its row says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) session: SessionId,
    pub(crate) name: HashedName,
    pub(crate) lineage: LineageHash,
}

pub(crate) trait Exchange: Send + Sync {
    /// Takes a name for a session. The same claim again succeeds again.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<(), ClaimError>>;

    /// Looks a session up.
    fn caller(&self, session: SessionId) -> BoxFuture<'_, Option<Caller>>;

    /// Ends a session.
    fn release(&self, caller: Caller) -> BoxFuture<'_, ()>;

    /// The line of one worker: its relay runs on the worker's thread, and its polls listen there.
    fn line(&self) -> Arc<Line>;

    /// Waits for events: those that are not acknowledged, at once when there are any; `None` when there are
    /// none until `until`. Takes nothing out but what the cursor acknowledges. May be dropped at any time.
    fn wait<'a>(
        &'a self,
        line: &'a Line,
        session: SessionId,
        cursor: Option<Cursor>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Option<Batch>, PollError>>;

    /// Ends all waits without events, and lets none begin.
    fn end_waits(&self);

    /// Offers a search to all other sessions.
    fn open_search(
        &self,
        caller: Caller,
        id: SearchId,
        subject: Subject,
    ) -> BoxFuture<'_, Result<(), SearchError>>;

    /// Passes the matching part of an answer on to the searcher.
    fn answer(
        &self,
        caller: Caller,
        id: SearchId,
        username: Username,
        answer: AnswerRequest,
    ) -> BoxFuture<'_, Result<(), SearchOver>>;

    fn withdraw_search(&self, caller: Caller, id: SearchId) -> BoxFuture<'_, Result<(), SearchOver>>;

    /// Carries an introduction to its target, whether or not there is one.
    fn introduce(
        &self,
        caller: Caller,
        introduction: Introduction,
    ) -> BoxFuture<'_, Result<(), IntroduceError>>;

    /// Carries the target's word to the requester, who hears `heard`.
    fn reply(
        &self,
        caller: Caller,
        id: IntroductionId,
        reply: Reply,
        heard: HeardReply,
    ) -> BoxFuture<'_, Result<(), IntroductionOver>>;

    fn withdraw_introduction(
        &self,
        caller: Caller,
        id: IntroductionId,
    ) -> BoxFuture<'_, Result<(), IntroductionOver>>;

    /// How much is held, and how many wait.
    fn load(&self) -> BoxFuture<'_, Counts>;
}

pub(crate) type SharedExchange = Arc<dyn Exchange>;
