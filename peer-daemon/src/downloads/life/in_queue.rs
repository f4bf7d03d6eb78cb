//! A life in a source's queue, where it looks for somebody else who has the file.

use std::time::SystemTime;

use protocol::{IntroductionId, control::DownloadState};

use super::{Circumstances, Life, Remedy, Setback, Source, Step, Verdict};
use crate::downloads::looks::{Looks, Place};

impl Life {
    /// Its source lets it wait. Tells whether that is news.
    pub(crate) fn wait_in_queue(&mut self, at: &Circumstances, place: Place) -> bool {
        let looks = self.looks.take();
        let Place { position, reason } = place;
        let is_news = self.take(at.now, Step::Queued { position, reason });
        if self.place().is_some() {
            self.looks = Some(looks.unwrap_or_else(|| Looks::begin(at)));
        }
        is_news
    }

    /// When somebody else who has the file is looked for. Only in a queue, and while nobody else is asked.
    pub(crate) fn look_due(&self) -> Option<SystemTime> {
        self.looks.as_ref().and_then(Looks::due)
    }

    /// The same, as the clock goes now.
    pub(crate) fn look_due_by(&self, now: SystemTime) -> Option<SystemTime> {
        self.looks.as_ref().and_then(|looks| looks.due_by(now))
    }

    /// Whether this source is one to ask, too.
    pub(crate) fn may_ask_elsewhere(&self, source: &Source) -> bool {
        self.may_ask(source) && self.looks.as_ref().is_some_and(|looks| looks.may_ask(&source.username))
    }

    /// Nobody else is left to ask. No step: it waits on.
    pub(crate) fn find_nobody_elsewhere(&mut self, at: &Circumstances) {
        if let Some(looks) = &mut self.looks {
            looks.end_round(at);
        }
    }

    /// This source is asked, too; the place is kept.
    pub(crate) fn ask_elsewhere(&mut self, id: IntroductionId, source: &Source) {
        if let Some(looks) = &mut self.looks {
            looks.ask(id, source.username.clone());
        }
    }

    pub(crate) fn is_asking_elsewhere(&self, id: IntroductionId) -> bool {
        self.looks.as_ref().is_some_and(|looks| looks.is_asking(id))
    }

    /// Whether a place is worth more than the one that there is.
    pub(crate) fn would_wait_at(&self, place: Place) -> bool {
        self.place().is_some_and(|here| place.is_better_than(here))
    }

    /// Whoever was asked, too, does not do better.
    pub(crate) fn stay(&mut self, at: &Circumstances) {
        if let Some(looks) = &mut self.looks {
            looks.go_on(at);
        }
    }

    /// What came in the way of asking another source is held against it as it would be against the download's own,
    /// but for what may be better soon: of that, its own looks know.
    pub(crate) fn hold_against(&mut self, other: &Source, setback: &Setback) {
        if let Remedy::Elsewhere(verdict @ (Verdict::Refused | Verdict::Lied)) =
            setback.remedy(self.had_stream)
        {
            self.tried.note(other, verdict);
        }
    }

    /// It goes on with the source that was asked under this id. What comes of it is the next step.
    pub(crate) fn leave_queue(&mut self, at: &Circumstances, left: &Source, id: IntroductionId) {
        self.introduction = Some(id);
        if let Some(looks) = &mut self.looks {
            looks.leave(at, left.username.clone());
        }
    }

    fn place(&self) -> Option<Place> {
        match self.step {
            Step::Queued { position, reason } if self.state == DownloadState::Waiting => {
                Some(Place { position, reason })
            }
            _ => None,
        }
    }
}
