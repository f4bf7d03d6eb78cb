//! The life of one download: what happened last, in which state that leaves it, and what comes next.
//!
//! ```text
//!  queued ─▶ requesting ─▶ waiting ─▶ transferring ─▶ verifying ─▶ finished
//!    ▲  ▲        └────────────┴──── setback ───┘
//!    │  └─── another try ◀─────────────┘ └──────────────────────▶ failed
//!    └────── paused, failed, cancelled: when the person says so
//! ```
//!
//! Pure: the time is an argument, and whoever holds it does what follows.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use protocol::{
    control::{Cause, DownloadState, Upcoming},
    limits::{INTRODUCTION_WORD, PLACE_RENEWAL, ROUTE_HOLD},
};
use serde::{Deserialize, Serialize};

use super::step::Step;

/// Kept in the state as it is written here: what is added later has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    state: DownloadState,
    step: Step,
    at: SystemTime,
    /// Streams that broke off in a row.
    #[serde(default)]
    setbacks: u32,
    /// Whether it ever had a stream.
    #[serde(default)]
    had_stream: bool,
    /// When it goes on, while it waits for that.
    #[serde(default)]
    next_try: Option<SystemTime>,
}

impl Life {
    pub(crate) fn begin(now: SystemTime) -> Self {
        Self {
            state: DownloadState::Queued,
            step: Step::Added,
            at: now,
            setbacks: 0,
            had_stream: false,
            next_try: None,
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

    pub(crate) fn had_stream(&self) -> bool {
        self.had_stream
    }

    /// A step that says itself where it leads. Tells whether anything changed: an ended download stays as it
    /// ended, and what is told twice is no news.
    pub(crate) fn take(&mut self, now: SystemTime, step: Step) -> bool {
        let Some(state) = step.state() else { return false };
        if self.state.has_ended() || self.step == step {
            return false;
        }
        self.had_stream |= matches!(step, Step::Connected { .. });
        self.enter(now, state, step);
        true
    }

    /// After a setback, it waits for the next try.
    pub(crate) fn wait_until(&mut self, now: SystemTime, step: Step, next_try: SystemTime) -> bool {
        if self.state.has_ended() {
            return false;
        }
        self.enter(now, DownloadState::Waiting, step);
        self.next_try = Some(next_try);
        true
    }

    /// Counts a stream that broke off; answers the count.
    pub(crate) fn count_setback(&mut self) -> u32 {
        self.setbacks += 1;
        self.setbacks
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

    /// It goes on after a pause or an end, as if nothing had come in its way.
    pub(crate) fn go_on(&mut self, now: SystemTime) {
        let step = if self.state == DownloadState::Paused { Step::Resumed } else { Step::Retried };
        self.go_on_after(now, step);
    }

    /// The disk takes what was held for it.
    pub(crate) fn release(&mut self, now: SystemTime) {
        self.go_on_after(now, Step::Released);
    }

    fn go_on_after(&mut self, now: SystemTime, step: Step) {
        self.setbacks = 0;
        self.enter(now, DownloadState::Queued, step);
    }

    /// A new process has taken it up: what was under way waits to go on. Tells whether anything changed.
    pub(crate) fn restart(&mut self, now: SystemTime) -> bool {
        let stays =
            self.state.has_ended() || matches!(self.state, DownloadState::Paused | DownloadState::Queued);
        if !stays {
            self.enter(now, DownloadState::Queued, Step::Restarted);
        }
        !stays
    }

    fn enter(&mut self, now: SystemTime, state: DownloadState, step: Step) {
        (self.state, self.step, self.at, self.next_try) = (state, step, now, None);
    }

    /// The place in the source's queue.
    pub(crate) fn position(&self) -> Option<u32> {
        match self.step {
            Step::Queued { position, .. } => Some(position),
            _ => None,
        }
    }

    /// Why it stands where it stands.
    pub(crate) fn reason(&self) -> Option<String> {
        self.step.reason()
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        if self.state == DownloadState::Failed || self.is_held() { self.step.cause() } else { None }
    }

    /// What happens if nothing comes in between, and when.
    pub(crate) fn upcoming(&self, now: SystemTime) -> Option<Upcoming> {
        let after = |pause: Duration| self.at.checked_add(pause);
        let (what, at) = match (&self.step, self.state) {
            (_, DownloadState::Finished) => return None,
            (Step::Held { .. }, _) => ("it goes on by itself when the disk takes it", None),
            (_, DownloadState::Paused) => ("it goes on when you say so: peerctl resume", None),
            (_, DownloadState::Failed | DownloadState::Cancelled) => {
                ("nothing by itself; to try again: peerctl retry", None)
            }
            (_, DownloadState::Queued) => ("the source is asked as soon as its turn comes", None),
            (Step::Asked, _) => ("without a word, another source is looked for", after(INTRODUCTION_WORD)),
            (Step::Queued { .. }, _) => ("the place is kept by asking again", after(PLACE_RENEWAL)),
            (Step::Accepted, _) => ("without a stream, another source is looked for", after(ROUTE_HOLD)),
            (Step::ToldToDial, _) => ("the source answers, or counts as out of reach", after(ROUTE_HOLD)),
            (Step::Deferred, _) => ("it is asked for again when the running download has ended", None),
            (_, DownloadState::Waiting) => ("the source is asked again", self.next_try),
            _ => return None,
        };
        // A time that has gone by (a place is kept again and again) says nothing.
        let at = at.filter(|at| *at > now).and_then(|at| Timestamp::try_from(at).ok());
        Some(Upcoming { what: what.to_owned(), at })
    }
}
