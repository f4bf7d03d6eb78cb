//! The long-poll: what follows from each poll's outcome (pure), and the loop that does it.
//!
//! | outcome | next |
//! |---|---|
//! | 200, new events | hand them over, poll at once with the new cursor |
//! | 204 after its wait | poll at once |
//! | 204 with `Retry-After` (draining) | poll after that |
//! | 204 sooner than a second | poll once a second; the session is fine, but someone cuts polls short |
//! | 200 without events, or with the cursor that was sent | a server gone wrong: back off |
//! | 409 `superseded` | another poll with our token, which should not be: back off |
//! | 422 `cursor_invalid` | poll at once without a cursor; if there was none, back off |
//! | 401 `token_invalid` | the session has lapsed: connect again |
//! | anything else | back off, at least as long as was asked for |

use std::time::Duration;

use protocol::Code;
use tokio::{select, time::sleep};

use super::{
    LinkEvent,
    client::{Failure, Polled},
    session::{Held, Keeper},
};
use crate::{
    backoff::{Backoff, BackoffRange},
    clock,
};

/// The least time from one quiet poll to the next. A 204 that comes sooner did not wait, whoever sent it, and
/// polling on at once would be a busy loop.
const QUIET_MIN: Duration = Duration::from_secs(1);
/// One failed poll is a connection that broke, which happens; from this many on, the coordinator is away, and
/// the person is told.
const FAILURES_TOLERATED: u32 = 1;

/// What a poll came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Batch {
        cursor: String,
        is_empty: bool,
    },
    Quiet {
        elapsed: Duration,
        retry_after: Option<Duration>,
    },
    Superseded,
    CursorInvalid,
    Lapsed,
    /// With a sentence for the person.
    Failed {
        problem: String,
        retry_after: Option<Duration>,
    },
}

/// What to do after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Hand the batch's events over, then poll at once.
    Deliver,
    PollAfter(Duration),
    Reconnect,
}

/// Where the polling of one session stands.
#[derive(Debug)]
pub(super) struct PollState {
    /// Acknowledges what was handed over. Opaque.
    cursor: Option<String>,
    backoff: Backoff,
    /// Why polls fail, once enough of them did.
    problem: Option<String>,
    /// Whether any poll of this session went well: if so, a lapse is an event of its own, and if not, it is
    /// one more failure to connect.
    was_good: bool,
}

impl PollState {
    pub(super) fn new(range: BackoffRange) -> Self {
        Self { cursor: None, backoff: Backoff::new(range), problem: None, was_good: false }
    }

    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(super) fn was_good(&self) -> bool {
        self.was_good
    }

    /// Takes an outcome in; `random` (0.0 to 1.0) spreads the waits.
    pub(super) fn after(&mut self, outcome: Outcome, random: f64) -> Next {
        match outcome {
            Outcome::Batch { cursor, is_empty: false } if self.cursor.as_ref() != Some(&cursor) => {
                self.cursor = Some(cursor);
                self.went_well();
                Next::Deliver
            }
            Outcome::Quiet { retry_after: Some(asked), .. } => {
                self.went_well();
                Next::PollAfter(self.backoff.clone().next_at_least(Some(asked), random))
            }
            Outcome::Quiet { elapsed, retry_after: None } => {
                self.went_well();
                Next::PollAfter(QUIET_MIN.saturating_sub(elapsed))
            }
            Outcome::Superseded => self.back_off("another poll of this session took over", None, random),
            Outcome::CursorInvalid if self.cursor.take().is_some() => Next::PollAfter(Duration::ZERO),
            // Also a batch that is empty, whose cursor acknowledges nothing, or that came before.
            Outcome::Batch { .. } | Outcome::CursorInvalid => {
                self.back_off("the coordinator's answers make no sense", None, random)
            }
            Outcome::Lapsed => Next::Reconnect,
            Outcome::Failed { problem, retry_after } => self.back_off(&problem, retry_after, random),
        }
    }

    fn went_well(&mut self) {
        self.backoff.reset();
        self.problem = None;
        self.was_good = true;
    }

    fn back_off(&mut self, problem: &str, asked: Option<Duration>, random: f64) -> Next {
        let wait = self.backoff.next_at_least(asked, random);
        if self.backoff.failures() > FAILURES_TOLERATED {
            self.problem = Some(problem.to_owned());
        }
        Next::PollAfter(wait)
    }
}

impl Keeper {
    /// Polls a session until it has lapsed; tells whether it ever went well. May be dropped at any await: what
    /// was not acknowledged comes again.
    pub(super) async fn poll(&mut self, held: &Held) -> bool {
        let mut state = PollState::new(self.timings.backoff);
        let wait = self.timings.poll_wait.min(held.wait_max);
        let mut lapsed = self.lapsed.clone();
        loop {
            let started = clock::now();
            let polled = select! {
                polled = self.client.poll(held, state.cursor(), wait, self.timings.poll_slack) => polled,
                () = lapse(&mut lapsed, held.generation) => return state.was_good(),
            };
            let (outcome, events) = outcome(polled, started.elapsed());
            let next = state.after(outcome, rand::random());
            match state.problem() {
                Some(problem) => self.show_out_of_reach(held, problem).await,
                None => self.show_connected(held).await,
            }
            match next {
                Next::Deliver => {
                    for event in events {
                        self.tell(LinkEvent::Event(event)).await;
                    }
                }
                Next::PollAfter(pause) => select! {
                    () = sleep(pause) => {}
                    () = lapse(&mut lapsed, held.generation) => return state.was_good(),
                },
                Next::Reconnect => return state.was_good(),
            }
        }
    }
}

fn outcome(polled: Result<Polled, Failure>, elapsed: Duration) -> (Outcome, Vec<protocol::Event>) {
    let outcome = match polled {
        Ok(Polled::Batch { cursor, events, is_empty }) => {
            return (Outcome::Batch { cursor, is_empty }, events);
        }
        Ok(Polled::Quiet { retry_after }) => Outcome::Quiet { elapsed, retry_after },
        Err(Failure::Unreachable(problem)) => Outcome::Failed { problem, retry_after: None },
        Err(Failure::Refused { problem, retry_after }) => match problem.code {
            Code::TokenInvalid => Outcome::Lapsed,
            Code::Superseded => Outcome::Superseded,
            Code::CursorInvalid => Outcome::CursorInvalid,
            _ => Outcome::Failed { problem: problem.title, retry_after },
        },
    };
    (outcome, Vec::new())
}

/// Ends when a call found this session, or a later one, lapsed.
async fn lapse(lapsed: &mut tokio::sync::watch::Receiver<u64>, generation: u64) {
    if lapsed.wait_for(|latest| *latest >= generation).await.is_err() {
        // Nobody is left who could make a call.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{collection::vec, prelude::*};

    use super::{Next, Outcome, PollState, QUIET_MIN};
    use crate::coordinator_link::BackoffRange;

    const RANGE: BackoffRange =
        BackoffRange { first: Duration::from_millis(500), max: Duration::from_secs(30) };

    fn batch(cursor: &str, is_empty: bool) -> Outcome {
        Outcome::Batch { cursor: cursor.to_owned(), is_empty }
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        let asked = prop_oneof![Just(None), (0_u64..100).prop_map(|asked| Some(Duration::from_secs(asked)))];
        prop_oneof![
            ("[ab]", any::<bool>()).prop_map(|(cursor, is_empty)| batch(&cursor, is_empty)),
            (0_u64..30_000, asked.clone()).prop_map(|(elapsed, retry_after)| Outcome::Quiet {
                elapsed: Duration::from_millis(elapsed),
                retry_after
            }),
            Just(Outcome::Superseded),
            Just(Outcome::CursorInvalid),
            Just(Outcome::Lapsed),
            asked.prop_map(|retry_after| Outcome::Failed { problem: "x".to_owned(), retry_after }),
        ]
    }

    proptest! {
        /// Polls at once only after what took its time or brought something new, and never twice in a row for a
        /// cursor that was not known; hands over only new batches; honours what it was asked for.
        #[test]
        fn no_sequence_of_outcomes_makes_it_spin(outcomes in vec((any_outcome(), 0.0_f64..1.0), 0..60)) {
            let mut state = PollState::new(RANGE);
            for (outcome, random) in outcomes {
                let before = state.cursor().map(str::to_owned);
                let next = state.after(outcome.clone(), random);
                let is_new = |cursor: &String| before.as_ref() != Some(cursor);
                let pause = match (&outcome, next) {
                    (Outcome::Lapsed, next) => {
                        prop_assert_eq!(next, Next::Reconnect);
                        continue;
                    }
                    (Outcome::Batch { cursor, is_empty: false }, Next::Deliver) => {
                        prop_assert!(is_new(cursor));
                        prop_assert_eq!(state.cursor(), Some(cursor.as_str()));
                        prop_assert_eq!(state.problem(), None);
                        continue;
                    }
                    (_, Next::PollAfter(pause)) => pause,
                    (outcome, next) => return Err(TestCaseError::fail(format!("{next:?} after {outcome:?}"))),
                };
                match &outcome {
                    Outcome::Batch { cursor, is_empty } => prop_assert!(*is_empty || !is_new(cursor)),
                    Outcome::Quiet { retry_after: Some(asked), .. }
                    | Outcome::Failed { retry_after: Some(asked), .. } => prop_assert!(pause >= *asked),
                    Outcome::Quiet { elapsed, .. } => prop_assert!(*elapsed + pause >= QUIET_MIN),
                    _ => {}
                }
                let may_be_at_once = matches!(outcome, Outcome::Quiet { .. })
                    || (outcome == Outcome::CursorInvalid && before.is_some());
                prop_assert!(may_be_at_once || pause >= RANGE.first / 2, "{pause:?} after {outcome:?}");
                let cursor_expected = if outcome == Outcome::CursorInvalid { None } else { before };
                prop_assert_eq!(state.cursor(), cursor_expected.as_deref());
            }
        }
    }

    #[test]
    fn one_failure_is_tolerated_two_are_told_and_a_good_poll_makes_up_for_all() {
        let mut state = PollState::new(RANGE);
        let failed = Outcome::Failed { problem: "gone".to_owned(), retry_after: None };
        state.after(failed.clone(), 0.0);
        assert_eq!((state.problem(), state.was_good()), (None, false));
        state.after(failed, 0.0);
        assert_eq!(state.problem(), Some("gone"));
        assert_eq!(state.after(batch("a", false), 0.0), Next::Deliver);
        assert_eq!((state.problem(), state.was_good()), (None, true));
    }
}
