//! What comes next in a download's life, for a person who looks at it.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use protocol::{
    control::{DownloadState, Upcoming},
    limits::{INTRODUCTION_WORD, PLACE_RENEWAL, ROUTE_HOLD},
};

use super::{
    errand::{Errand, What},
    life::Life,
    step::Step,
};

impl Life {
    /// What happens if nothing comes in between, and when.
    pub(crate) fn upcoming(&self, now: SystemTime) -> Option<Upcoming> {
        let after = |pause: Duration| self.at().checked_add(pause);
        let (what, at) = match (self.step(), self.state(), self.errand()) {
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
            (Step::Queued { .. }, ..) if let Some(due) = self.look_due() => {
                ("the place is kept, and whoever else has the file is looked for", Some(due))
            }
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

#[cfg(test)]
mod tests {
    use protocol::{control::Cause, introduction::QueueReason};

    use super::{
        super::{
            life::tests::{LOOK_AROUND, at, source, start},
            looks::Place,
            setback::Setback,
        },
        *,
    };

    fn take(life: &mut Life, step: Step) {
        assert!(life.take(start(), step));
    }

    fn meet(life: &mut Life, setback: Setback) {
        assert!(life.meet(&at(start(), 1.0), &source(1), setback, true));
    }

    fn lack_coordinator(life: &mut Life) {
        let away = Setback::CoordinatorAway { problem: "away".to_owned() };
        assert!(life.lack_coordinator(&at(start(), 1.0), away));
    }

    const PLACE: Place = Place { position: 1, reason: QueueReason::Busy };

    /// What happened, then what is told to come next, if anything, and after how long.
    type Case = (fn(&mut Life), Option<(&'static str, Option<Duration>)>);

    const CASES: &[Case] = &[
        (|_| (), Some(("as soon as its turn comes", None))),
        (|life| take(life, Step::Asked), Some(("another source", Some(INTRODUCTION_WORD)))),
        (
            |life| take(life, Step::Queued { position: 1, reason: QueueReason::Busy }),
            Some(("the place is kept", Some(PLACE_RENEWAL))),
        ),
        (
            |life| assert!(life.wait_in_queue(&at(start(), 1.0), PLACE)),
            Some(("is looked for", Some(LOOK_AROUND.first))),
        ),
        (|life| take(life, Step::Accepted), Some(("without a stream", Some(ROUTE_HOLD)))),
        (|life| take(life, Step::ToldToDial), Some(("out of reach", Some(ROUTE_HOLD)))),
        (|life| take(life, Step::Deferred), Some(("the running download has ended", None))),
        (|life| take(life, Step::Transferring), None),
        (|life| take(life, Step::Finished), None),
        (|life| take(life, Step::Paused), Some(("peerctl resume", None))),
        (|life| life.cancel(start()), Some(("peerctl retry", None))),
        (
            |life| meet(life, Setback::CoordinatorRefused { problem: "no".to_owned() }),
            Some(("peerctl retry", None)),
        ),
        (
            |life| assert!(life.hold(start(), "full".to_owned(), Cause::NoSpace)),
            Some(("when the disk takes it", None)),
        ),
        (
            |life| meet(life, Setback::RateLimited { retry_after_seconds: 700 }),
            Some(("the source is asked again", Some(Duration::from_secs(700)))),
        ),
        // At once: no time is told.
        (|life| meet(life, Setback::NoWord), Some(("is searched for", None))),
        (lack_coordinator, Some(("the coordinator is back", None))),
        (
            |life| {
                lack_coordinator(life);
                life.set_out();
            },
            Some(("as soon as its turn comes", None)),
        ),
    ];

    #[test]
    fn what_comes_next_follows_from_where_it_stands() {
        for (case, (happens, expected)) in CASES.iter().enumerate() {
            let mut life = Life::begin(start());
            happens(&mut life);
            let next = life.upcoming(start());
            assert_eq!(next.is_some(), expected.is_some(), "case {case}: {next:?}");
            let (Some(next), Some((what, pause))) = (next, *expected) else { continue };
            assert!(next.what.contains(what), "case {case}: {next:?}");
            let due = pause.map(|pause| start() + pause);
            assert_eq!(next.at.map(SystemTime::from), due, "case {case}");
            let later = life.upcoming(due.unwrap_or(start()));
            assert_eq!(later.unwrap().at, None, "case {case}: its time has gone by");
        }
    }

    #[test]
    fn a_time_is_told_where_it_waits_for_one() {
        let reason = |life: &Life| life.reason(|_| "noon".to_owned()).unwrap();
        let mut life = Life::begin(start());
        meet(&mut life, Setback::RateLimited { retry_after_seconds: 700 });
        assert!(reason(&life).ends_with("; next try at noon"));
        // What it wanted to do stays, and is not what it waits for.
        lack_coordinator(&mut life);
        assert_eq!((life.errand().is_some(), reason(&life).contains("noon")), (true, false));
        let mut life = Life::begin(start());
        meet(&mut life, Setback::NoWord);
        assert_eq!((life.errand().is_some(), reason(&life).contains("noon")), (true, false));
    }
}
