//! What comes next in a download's life, for a person who looks at it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use protocol::{
    control::{DownloadState, Upcoming},
    limits::{INTRODUCTION_WORD, PLACE_RENEWAL, ROUTE_HOLD},
};

use super::{
    life::{Errand, Life, What},
    step::Step,
};

impl Life {
    /// What happens if nothing comes in between, and when.
    pub(crate) fn upcoming(&self, now: SystemTime) -> Option<Upcoming> {
        let after = |pause: Duration| self.at().checked_add(pause);
        let (what, at) = match (self.step(), self.state(), self.errand()) {
            (_, DownloadState::Finished, _) => return None,
            (Step::Held { .. }, ..) => ("it goes on by itself when the disk takes it", None),
            (_, DownloadState::Paused, _) => ("it goes on when you say so: peerctl resume", None),
            (_, DownloadState::Failed | DownloadState::Cancelled, _) => {
                ("nothing by itself; to try again: peerctl retry", None)
            }
            _ if self.waits_for_the_coordinator() => ("it goes on as soon as the coordinator is back", None),
            (_, _, Some(Errand { what: What::Ask, due })) => ("the source is asked again", Some(due)),
            (_, _, Some(Errand { what: What::Seek, due })) => {
                ("whoever has the file is searched for", Some(due))
            }
            (_, DownloadState::Queued, _) => ("the source is asked as soon as its turn comes", None),
            (Step::Asked, ..) => ("without a word, another source is looked for", after(INTRODUCTION_WORD)),
            (Step::Queued { .. }, ..) => ("the place is kept by asking again", after(PLACE_RENEWAL)),
            (Step::Accepted, ..) => ("without a stream, another source is looked for", after(ROUTE_HOLD)),
            (Step::ToldToDial, ..) => ("the source answers, or counts as out of reach", after(ROUTE_HOLD)),
            (Step::Deferred, ..) => ("it is asked for again when the running download has ended", None),
            _ => return None,
        };
        // A time that has gone by (a place is kept again and again) says nothing.
        let at = at.filter(|at| *at > now).and_then(|at| Timestamp::try_from(at).ok());
        Some(Upcoming { what: what.to_owned(), at })
    }

    /// Why it stands where it stands, and when it tries again, if it does.
    pub(crate) fn reason(&self, time_of_day: impl FnOnce(SystemTime) -> String) -> Option<String> {
        let reason = self.step().reason()?;
        let is_timed = self.state() == DownloadState::Waiting && !self.waits_for_the_coordinator();
        let next = self.errand().filter(|_| is_timed);
        Some(match next {
            Some(errand) => format!("{reason}; next try at {}", time_of_day(errand.due)),
            None => reason,
        })
    }

    fn waits_for_the_coordinator(&self) -> bool {
        let is_lacking =
            matches!(self.step(), Step::Setback(setback) if setback.is_for_lack_of_a_coordinator());
        is_lacking && self.state() == DownloadState::Waiting
    }
}
