//! The life of one download: what happened last, in which state that leaves it, and what it does next by itself.
//!
//! ```text
//!  queued ─▶ requesting ─▶ waiting ─▶ transferring ─▶ verifying ─▶ finished
//!    ▲ ▲ ▲        └───────────┴── setback ┘
//!    │ │ │ ask again               │  │ seek another source ──▶ found: queued
//!    │ │ └──────── waiting ◀───────┘  │
//!    │ └── seek ── waiting ◀── nobody, and there is hope ──┘
//!    │                                 nobody, and there is none; or too long without a byte ──▶ failed
//!    └────── paused, failed, cancelled: when the person says so
//! ```
//!
//! Pure: time and randomness are arguments, and whoever holds it does what follows.

mod in_queue;

use std::time::{Duration, SystemTime};

use protocol::{
    IntroductionId,
    control::{Cause, DownloadState},
};
use serde::{Deserialize, Serialize};

use super::{
    errand::{Circumstances, Errand, What},
    looks::Looks,
    setback::{Remedy, Setback},
    step::Step,
    tried::{Tried, Verdict},
};
use crate::{backoff::BackoffRange, searches::Source};

/// Before the same source is asked again after its stream broke off: it may be back at once, and keeps the place.
const ASK_AGAIN: BackoffRange = BackoffRange { first: Duration::from_secs(1), max: Duration::from_secs(1) };
/// Before whoever has the file is searched for again: soon after a source has gone, which may just be starting
/// anew, and then more and more seldom; within half an hour of a source's return it is found.
pub(crate) const SEEK_AGAIN: BackoffRange =
    BackoffRange { first: Duration::from_secs(5), max: Duration::from_mins(30) };

/// Kept in the state as it is written here: what is added later has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    state: DownloadState,
    step: Step,
    at: SystemTime,
    #[serde(default)]
    errand: Option<Errand>,
    /// Tries in a row that brought nothing.
    #[serde(default)]
    setbacks: u32,
    /// Since when nothing has come, while something is in the way.
    #[serde(default)]
    stuck_since: Option<SystemTime>,
    /// What came in the way last: told if nobody else has the file.
    #[serde(default)]
    setback: Option<Setback>,
    /// Whether it ever had a stream.
    #[serde(default)]
    had_stream: bool,
    #[serde(default)]
    tried: Tried,
    /// Its source knows it under this id, and may keep a place for it.
    #[serde(default)]
    introduction: Option<IntroductionId>,
    /// In its source's queue only. A later process begins to wait anew.
    #[serde(skip)]
    looks: Option<Looks>,
}

impl Life {
    pub(crate) fn begin(now: SystemTime) -> Self {
        Self {
            state: DownloadState::Queued,
            step: Step::Added,
            at: now,
            errand: None,
            setbacks: 0,
            stuck_since: None,
            setback: None,
            had_stream: false,
            tried: Tried::default(),
            introduction: None,
            looks: None,
        }
    }

    pub(crate) fn state(&self) -> DownloadState {
        self.state
    }

    pub(crate) fn step(&self) -> &Step {
        &self.step
    }

    pub(crate) fn at(&self) -> SystemTime {
        self.at
    }

    /// What it does next by itself. Nothing while it is with its source, or can't go on.
    pub(crate) fn errand(&self) -> Option<Errand> {
        self.errand
    }

    pub(crate) fn introduction(&self) -> Option<IntroductionId> {
        self.introduction
    }

    /// It is asked for under this id.
    pub(crate) fn introduce(&mut self, id: IntroductionId) {
        self.introduction = Some(id);
    }

    /// Whether this source is one to ask.
    pub(crate) fn may_ask(&self, source: &Source) -> bool {
        self.tried.may_be_asked(source)
    }

    /// A step that says itself where it leads. Tells whether anything changed: an ended download stays as it
    /// ended, and what is told twice is no news.
    pub(crate) fn take(&mut self, now: SystemTime, step: Step) -> bool {
        let Some(state) = step.state() else { return false };
        if self.state.has_ended() || self.step == step {
            return false;
        }
        self.had_stream |= matches!(step, Step::Connected { .. });
        // Until somebody is found, it is still to be looked for, also by a later process.
        let errand = self.errand.filter(|_| step == Step::Seeking);
        self.enter(now, state, step);
        self.errand = errand;
        true
    }

    /// Something came in the way of asking this source, or of its stream. `has_progress`: something had come.
    pub(crate) fn meet(
        &mut self,
        at: &Circumstances,
        source: &Source,
        setback: Setback,
        has_progress: bool,
    ) -> bool {
        if self.state.has_ended() || self.state == DownloadState::Paused {
            return false;
        }
        if has_progress {
            self.progress();
        }
        let remedy = setback.remedy(self.had_stream);
        let is_first = self.setbacks == 0;
        self.setback = Some(setback.clone());
        self.stuck_since.get_or_insert(at.now);
        match remedy {
            Remedy::Resume if has_progress => {
                self.enter(at.now, DownloadState::Queued, Step::Setback(setback));
            }
            Remedy::Resume | Remedy::AskAgain if is_first => {
                self.wait(at, Step::Setback(setback), What::Ask, ASK_AGAIN, Duration::ZERO);
            }
            Remedy::Resume | Remedy::AskAgain => self.seek(at.now, source, setback, Verdict::NotNow),
            Remedy::Elsewhere(verdict) => self.seek(at.now, source, setback, verdict),
            Remedy::Later(pause) => {
                self.wait(at, Step::Setback(setback), What::Ask, SEEK_AGAIN, pause);
            }
            Remedy::End => self.enter(at.now, DownloadState::Failed, Step::Setback(setback)),
        }
        true
    }

    /// Nothing can be asked while the coordinator is away. What it wants to do stays as it is.
    pub(crate) fn lack_coordinator(&mut self, at: &Circumstances, setback: Setback) -> bool {
        if self.state.has_ended() || self.state == DownloadState::Paused {
            return false;
        }
        let since = *self.stuck_since.get_or_insert(at.now);
        if at.is_over(since) {
            self.give_up(at, setback);
            return true;
        }
        let step = Step::Setback(setback);
        let is_news = step != self.step;
        if is_news {
            let errand = self.errand;
            self.enter(at.now, DownloadState::Waiting, step);
            self.errand = errand;
        }
        is_news
    }

    /// This source has the file, too.
    pub(crate) fn find(&mut self, now: SystemTime) -> bool {
        if self.errand.is_none() {
            return false;
        }
        self.introduction = None;
        self.enter(now, DownloadState::Queued, Step::SourceFound);
        true
    }

    /// Nobody is left to ask.
    pub(crate) fn find_nobody(&mut self, at: &Circumstances) -> bool {
        if self.errand.is_none() {
            return false;
        }
        let last = self.setback.clone().unwrap_or(Setback::NoWord);
        if self.tried.has_hope() {
            self.tried.begin_round();
            self.wait(at, Step::NoSourceFound { last }, What::Seek, SEEK_AGAIN, Duration::ZERO);
        } else {
            self.enter(at.now, DownloadState::Failed, Step::NoSourceFound { last });
        }
        true
    }

    /// It is to be asked for apart from those that it was asked for with.
    pub(crate) fn leave_batch(&mut self, now: SystemTime) -> bool {
        self.introduction = None;
        self.take(now, Step::NotReached)
    }

    /// What it waited for is due: its source is to be asked. No step of its own; that it is asked is one.
    pub(crate) fn set_out(&mut self) {
        (self.state, self.errand) = (DownloadState::Queued, None);
    }

    /// The person does not want to wait for the next try.
    pub(crate) fn hurry(&mut self, now: SystemTime) -> bool {
        let is_waiting = self.errand.is_some();
        if let Some(errand) = &mut self.errand {
            errand.due = now;
        }
        is_waiting
    }

    /// It waits for the disk. Another trouble of the same kind is no news: numbers change all the time.
    pub(crate) fn hold(&mut self, now: SystemTime, sentence: String, cause: Cause) -> bool {
        if self.state.has_ended() || (self.is_held() && self.step.cause() == Some(cause)) {
            return false;
        }
        self.enter(now, DownloadState::Paused, Step::Held { sentence, cause });
        true
    }

    /// Waits for the disk, and so goes on by itself, other than one that a person has paused.
    pub(crate) fn is_held(&self) -> bool {
        self.state == DownloadState::Paused && matches!(self.step, Step::Held { .. })
    }

    /// Ends it.
    pub(crate) fn fail(&mut self, now: SystemTime, step: Step) -> bool {
        if self.state.has_ended() {
            return false;
        }
        self.enter(now, DownloadState::Failed, step);
        true
    }

    /// The person cancels it, which also goes for one that had ended.
    pub(crate) fn cancel(&mut self, now: SystemTime) {
        self.enter(now, DownloadState::Cancelled, Step::Cancelled);
    }

    /// It goes on after a pause or an end, as the person wants: with its source, unless that is one not to ask. A
    /// try after an end is one with all sources.
    pub(crate) fn go_on(&mut self, now: SystemTime, source: &Source) {
        let step = if self.state == DownloadState::Paused {
            Step::Resumed
        } else {
            self.tried = Tried::default();
            Step::Retried
        };
        self.go_on_after(now, step, source);
    }

    /// The disk takes what was held for it.
    pub(crate) fn release(&mut self, now: SystemTime, source: &Source) {
        self.go_on_after(now, Step::Released, source);
    }

    fn go_on_after(&mut self, now: SystemTime, step: Step, source: &Source) {
        self.progress();
        if self.tried.may_be_asked(source) {
            self.enter(now, DownloadState::Queued, step);
        } else {
            self.enter(now, DownloadState::Requesting, step);
            self.errand = Some(Errand { what: What::Seek, due: now });
        }
    }

    /// A new process has taken it up: what was under way waits to go on. Tells whether anything changed. It was stuck for
    /// as long as it was when something happened last: what went by since, with nobody there to try, does not count.
    pub(crate) fn restart(&mut self, now: SystemTime) -> bool {
        let stuck = self.stuck_since.map(|since| self.at.duration_since(since).unwrap_or_default());
        self.stuck_since = stuck.and_then(|stuck| now.checked_sub(stuck));
        let stays = self.state.has_ended()
            || self.errand.is_some()
            || matches!(self.state, DownloadState::Paused | DownloadState::Queued);
        if !stays {
            self.enter(now, DownloadState::Queued, Step::Restarted);
        }
        !stays
    }

    /// Something came: what was in the way is forgotten.
    fn progress(&mut self) {
        (self.setbacks, self.stuck_since) = (0, None);
        self.tried.begin_round();
    }

    fn seek(&mut self, now: SystemTime, source: &Source, setback: Setback, verdict: Verdict) {
        self.tried.note(source, verdict);
        self.introduction = None;
        self.enter(now, DownloadState::Requesting, Step::Setback(setback));
        self.errand = Some(Errand { what: What::Seek, due: now });
    }

    /// Waits for the next try, at least for `pause`, and at last for when it is given up.
    fn wait(&mut self, at: &Circumstances, step: Step, what: What, range: BackoffRange, pause: Duration) {
        let since = *self.stuck_since.get_or_insert(at.now);
        if at.is_over(since) {
            let last = self.setback.clone().unwrap_or(Setback::NoWord);
            return self.give_up(at, last);
        }
        let due = at.now + range.wait(self.setbacks, at.random).max(pause);
        let due = since.checked_add(at.give_up_after).map_or(due, |end| due.min(end.max(at.now)));
        self.setbacks = self.setbacks.saturating_add(1);
        self.enter(at.now, DownloadState::Waiting, step);
        self.errand = Some(Errand { what, due });
    }

    fn give_up(&mut self, at: &Circumstances, last: Setback) {
        let step = Step::GivenUp { after_seconds: at.give_up_after.as_secs(), last };
        self.enter(at.now, DownloadState::Failed, step);
    }

    fn enter(&mut self, now: SystemTime, state: DownloadState, step: Step) {
        if state.has_ended() || state == DownloadState::Paused {
            self.introduction = None;
        }
        (self.state, self.step, self.at) = (state, step, now);
        (self.errand, self.looks) = (None, None);
    }

    /// The place in the source's queue.
    pub(crate) fn position(&self) -> Option<u32> {
        match self.step {
            Step::Queued { position, .. } => Some(position),
            _ => None,
        }
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        if self.state == DownloadState::Failed || self.is_held() { self.step.cause() } else { None }
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
pub(super) mod tests;
