//! The exchange of a single process: the domain under a mutex, polls beside it, and what waits and wakes.
//!
//! A plain mutex, because every operation is short and none waits while holding it; the longest part of an
//! answer, the match rule, runs outside. What all peers do at once, polling, does not take it.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Waker},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use protocol::{
    IntroductionId, SearchId, Username,
    introduction::{HeardReply, Reply},
    search::{AnswerRequest, Subject},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Caller, Exchange, line::Line};
use crate::{
    clock,
    domain::{
        Counts, Domain, Introduction, Rules,
        batch::{Batch, Cursor},
        introductions::{IntroduceError, IntroductionOver},
        polls::{PollError, PollTicket, Polls},
        searches::{self, SearchError, SearchOver},
        sessions::{Claim, ClaimError, HashedName, Nobody, SessionId},
    },
};

/// How often the sweep looks at what is due: deadlines are kept within this.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(200);
/// Waking everybody is what a search costs. The first search does it at once; those that come so soon after it
/// are told together, and wait that long for it at most.
const WAVE_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct MemoryExchange {
    /// Of all but polls.
    state: Mutex<Domain>,
    polls: Arc<Polls>,
    /// The domain has noted whom to wake.
    rung: Notify,
    /// Where those listen who are to hear of a new search: everyone.
    lines: Mutex<Vec<Weak<Line>>>,
    /// The server ends.
    parks_nobody: AtomicBool,
}

impl MemoryExchange {
    pub(crate) fn new(rules: Rules) -> Self {
        let name = HashedName { skeleton: rand::random(), exact: rand::random() };
        let nobody = Nobody { session: SessionId(rand::random()), name };
        let domain = Domain::new(rules, nobody, clock::now());
        Self {
            polls: Arc::clone(domain.polls()),
            state: Mutex::new(domain),
            rung: Notify::new(),
            lines: Mutex::default(),
            parks_nobody: AtomicBool::new(false),
        }
    }

    /// Does what is to be done beside calls, until the token says stop.
    pub(crate) async fn run_until(&self, stop: CancellationToken) {
        tokio::join!(self.sweep_until(&stop), self.wake_until(&stop));
    }

    /// Drops what has expired.
    async fn sweep_until(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.with(Domain::sweep);
        }
    }

    /// Wakes polls. Not the call does it that brought the event: it would take longer where somebody is there to be
    /// woken, and its caller could tell.
    async fn wake_until(&self, stop: &CancellationToken) {
        let mut next_wave = clock::now();
        let mut wave_due: Option<Instant> = None;
        loop {
            let wave = async {
                match wave_due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.rung.notified() => {
                    if self.wake_sessions() && wave_due.is_none() {
                        wave_due = Some(next_wave.max(clock::now()));
                    }
                }
                () = wave => {
                    wave_due = None;
                    self.ring_everyone();
                    next_wave = clock::now() + WAVE_INTERVAL;
                }
            }
        }
    }

    /// Wakes those who have mail; whether there is something for everyone as well.
    fn wake_sessions(&self) -> bool {
        let wakes = self.lock().take_wakes();
        let now = clock::now();
        wakes.sessions.iter().for_each(|session| self.polls.wake(*session, now));
        wakes.overtaken.into_iter().for_each(Waker::wake);
        wakes.everyone
    }

    fn lock(&self) -> MutexGuard<'_, Domain> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation of the domain; whom it concerns is woken after it.
    fn with<T>(&self, operation: impl FnOnce(&mut Domain, Instant) -> T) -> T {
        let mut state = self.lock();
        let result = operation(&mut state, clock::now());
        let has_wakes = state.has_wakes();
        drop(state);
        if has_wakes {
            self.rung.notify_one();
        }
        result
    }

    pub(crate) fn change_rules(&self, rules: Rules) {
        self.with(|domain, _| domain.change_rules(rules));
    }

    fn ring_everyone(&self) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|line| line.ring());
    }
}

/// A poll. However it ends, also when the client is gone and the handler is dropped, the lease begins anew then.
struct Poll<'a> {
    exchange: &'a MemoryExchange,
    session: SessionId,
    cursor: Option<Cursor>,
    /// While it is the session's live one.
    ticket: Option<PollTicket>,
}

impl Poll<'_> {
    async fn wait(mut self, line: &Line, until: Instant) -> Result<Option<Batch>, PollError> {
        let mut deadline = pin!(tokio::time::sleep_until(until.into()));
        let mut new_search = pin!(line.heard());
        poll_fn(|context| {
            // Listening begins before the look, so that nothing that comes in between is missed.
            while new_search.as_mut().poll(context).is_ready() {
                new_search.set(line.heard());
            }
            match self.look(context.waker()) {
                Ok(None) => {}
                heard => return task::Poll::Ready(heard),
            }
            if self.exchange.parks_nobody.load(Ordering::Acquire) {
                return task::Poll::Ready(Ok(None));
            }
            deadline.as_mut().poll(context).map(|()| Ok(None))
        })
        .await
    }

    fn look(&mut self, waker: &Waker) -> Result<Option<Batch>, PollError> {
        let polls = &self.exchange.polls;
        let looked = polls.look(self.session, self.ticket, self.cursor, waker, clock::now())?;
        self.ticket = looked.ticket;
        looked.overtaken.into_iter().for_each(Waker::wake);
        Ok(looked.batch)
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.exchange.polls.end(self.session, ticket, clock::now());
        }
    }
}

impl Exchange for MemoryExchange {
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<(), ClaimError>> {
        async move { self.with(|domain, now| domain.claim(&claim, now)) }.boxed()
    }

    fn caller(&self, session: SessionId) -> BoxFuture<'_, Option<Caller>> {
        async move {
            let (name, lineage) = self.polls.who_is(session, clock::now())?;
            Some(Caller { session, name, lineage })
        }
        .boxed()
    }

    fn release(&self, caller: Caller) -> BoxFuture<'_, ()> {
        async move { self.with(|domain, _| domain.release(caller.session)) }.boxed()
    }

    fn line(&self) -> Arc<Line> {
        let line = Arc::default();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|known| known.strong_count() > 0);
        lines.push(Arc::downgrade(&line));
        line
    }

    fn wait<'a>(
        &'a self,
        line: &'a Line,
        session: SessionId,
        cursor: Option<Cursor>,
        until: Instant,
    ) -> BoxFuture<'a, Result<Option<Batch>, PollError>> {
        Poll { exchange: self, session, cursor, ticket: None }.wait(line, until).boxed()
    }

    fn end_waits(&self) {
        self.parks_nobody.store(true, Ordering::Release);
        self.ring_everyone();
    }

    fn open_search(
        &self,
        caller: Caller,
        id: SearchId,
        subject: Subject,
    ) -> BoxFuture<'_, Result<(), SearchError>> {
        async move { self.with(|domain, now| domain.open_search(caller.session, id, &subject, now)) }.boxed()
    }

    fn answer(
        &self,
        caller: Caller,
        id: SearchId,
        username: Username,
        mut answer: AnswerRequest,
    ) -> BoxFuture<'_, Result<(), SearchOver>> {
        async move {
            let subject =
                self.with(|domain, now| domain.subject_for_answer(caller.session, caller.name, id, now))?;
            let Some(subject) = subject else { return Ok(()) };
            let matches = searches::classify(&subject, std::mem::take(&mut answer.matches));
            self.with(|domain, now| domain.answer(id, caller.name, username, &answer, matches, now))
        }
        .boxed()
    }

    fn withdraw_search(&self, caller: Caller, id: SearchId) -> BoxFuture<'_, Result<(), SearchOver>> {
        async move { self.with(|domain, now| domain.withdraw_search(caller.session, id, now)) }.boxed()
    }

    fn introduce(
        &self,
        caller: Caller,
        introduction: Introduction,
    ) -> BoxFuture<'_, Result<(), IntroduceError>> {
        async move { self.with(|domain, now| domain.introduce(caller.session, introduction, now)) }.boxed()
    }

    fn reply(
        &self,
        caller: Caller,
        id: IntroductionId,
        reply: Reply,
        heard: HeardReply,
    ) -> BoxFuture<'_, Result<(), IntroductionOver>> {
        async move { self.with(|domain, now| domain.reply(caller.name, id, &reply, heard, now)) }.boxed()
    }

    fn withdraw_introduction(
        &self,
        caller: Caller,
        id: IntroductionId,
    ) -> BoxFuture<'_, Result<(), IntroductionOver>> {
        async move { self.with(|domain, now| domain.withdraw_introduction(caller.session, id, now)) }.boxed()
    }

    fn load(&self) -> BoxFuture<'_, Counts> {
        async move { self.lock().counts() }.boxed()
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
