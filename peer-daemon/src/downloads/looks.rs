//! While a download waits in a source's queue: when it looks for somebody else who has the file, whom of those it
//! asks, and which of two places it keeps.
//!
//! A queue is as long as its owner likes, and somebody else may be free. The place is kept meanwhile, so nothing is
//! lost by asking; and of two places the one that is worth less is given up, so that nobody stands in many queues for
//! one file.
//!
//! ```text
//!  in a queue ── a minute or two ──▶ look ── nobody to ask: look again, more and more seldom
//!     ▲  ▲                             ▼
//!     │  └── no better, or no ── ask one of them, with the place kept ── a stream: the place is given up
//!     └───── a better place there: this one is given up ──┘
//! ```
//!
//! Pure: time and randomness are arguments.

use std::{collections::VecDeque, time::SystemTime};

use protocol::{IntroductionId, Username, introduction::QueueReason};

use super::errand::{Circumstances, due_by};

/// Sources remembered of a round. Who has been asked for longest is forgotten first: a round with so many takes an hour
/// and more.
const ASKED_MAX: usize = 64;

/// What a source's queue offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u32,
    pub(crate) reason: QueueReason,
}

impl Place {
    /// Where somebody has to do something first, the first place may be worth nothing: a queue that moves by itself is
    /// better, and else the lower place.
    pub(crate) fn is_better_than(self, other: Self) -> bool {
        let worth = |place: Self| {
            let needs_a_person = matches!(place.reason, QueueReason::Asking | QueueReason::UploadsOff);
            (needs_a_person, place.position)
        };
        worth(self) < worth(other)
    }
}

/// Of one wait, in one queue or from one to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Looks {
    stage: Stage,
    /// Those in a row that ended: nobody was left to ask.
    rounds: u32,
    /// In this round, the last one last.
    asked: VecDeque<Username>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Until(SystemTime),
    /// Somebody is asked, under this id. One at a time.
    Asking(IntroductionId),
}

impl Looks {
    pub(crate) fn begin(at: &Circumstances) -> Self {
        let stage = Stage::Until(at.now + at.look_around.wait(0, at.random));
        Self { stage, rounds: 0, asked: VecDeque::new() }
    }

    /// None while somebody is asked.
    pub(crate) fn due(&self) -> Option<SystemTime> {
        match self.stage {
            Stage::Until(due) => Some(due),
            Stage::Asking(_) => None,
        }
    }

    /// The same, as the clock goes now.
    pub(crate) fn due_by(&self, now: SystemTime) -> Option<SystemTime> {
        self.due().map(|due| due_by(due, now))
    }

    pub(crate) fn may_ask(&self, username: &Username) -> bool {
        matches!(self.stage, Stage::Until(_)) && !self.asked.contains(username)
    }

    pub(crate) fn ask(&mut self, id: IntroductionId, username: Username) {
        self.stage = Stage::Asking(id);
        self.note(username);
    }

    pub(crate) fn is_asking(&self, id: IntroductionId) -> bool {
        self.stage == Stage::Asking(id)
    }

    /// Who was asked does not do better. There may be others who have not been asked.
    pub(crate) fn go_on(&mut self, at: &Circumstances) {
        self.stage = Stage::Until(at.now + at.look_around.wait(self.rounds, at.random));
    }

    /// Nobody is left to ask. The next time all may be asked again, for queues move.
    pub(crate) fn end_round(&mut self, at: &Circumstances) {
        self.rounds = self.rounds.saturating_add(1);
        self.asked.clear();
        self.go_on(at);
    }

    /// It waits at the one that was asked, and not at this one any more.
    pub(crate) fn leave(&mut self, at: &Circumstances, left: Username) {
        self.note(left);
        self.rounds = 0;
        self.go_on(at);
    }

    fn note(&mut self, username: Username) {
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(username);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{
        super::life::tests::{LOOK_AROUND, at, source, start},
        *,
    };

    fn place(position: u32, reason: QueueReason) -> Place {
        Place { position, reason }
    }

    #[test]
    fn the_better_place_is_the_lower_one_in_a_queue_that_moves_by_itself() {
        use QueueReason::{Asking, Busy, Other, UploadsOff};
        let best_first = [
            place(1, Busy),
            place(2, Other),
            place(9, Busy),
            place(1, Asking),
            place(2, UploadsOff),
            place(3, Asking),
        ];
        for (index, one) in best_first.iter().enumerate() {
            for (other_index, other) in best_first.iter().enumerate() {
                assert_eq!(one.is_better_than(*other), index < other_index, "{one:?} {other:?}");
            }
        }
        assert!(!place(1, Busy).is_better_than(place(1, Other)), "a tie is for the one that there is");
    }

    #[test]
    fn nobody_is_looked_for_in_the_first_minute_and_then_more_and_more_seldom() {
        for (random, expected) in [(0.0, [1, 2, 4, 8, 15, 15]), (1.0, [2, 4, 8, 16, 30, 30])] {
            let mut now = start();
            let mut looks = Looks::begin(&at(now, random));
            let waits = expected.map(|_| {
                let due = looks.due().unwrap();
                let waited = due.duration_since(now).unwrap();
                now = due;
                looks.end_round(&at(now, random));
                waited.as_secs() / 60
            });
            assert_eq!(waits, expected);
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Event {
        /// A look finds all of them, and asks the first that may be asked.
        Look,
        NoBetter,
        Better,
    }

    proptest! {
        /// The model is the set of those asked in this round, and the one in whose queue it waits.
        #[test]
        fn each_is_asked_once_a_round_and_one_at_a_time(
            sources in 1..5_u8,
            events in vec((prop_oneof![Just(Event::Look), Just(Event::NoBetter), Just(Event::Better)],
                0.0..=1.0_f64), 0..60),
        ) {
            let mut now = start();
            let (mut waits_at, mut asking) = (0, None);
            let mut asked: Vec<u8> = Vec::new();
            let mut looks = Looks::begin(&at(now, 0.0));
            for (event, random) in events {
                let name = |number| source(number).username;
                match (event, asking) {
                    (Event::Look, None) => {
                        let due = looks.due_by(now).unwrap();
                        prop_assert!(due >= now + LOOK_AROUND.first / 2 && due <= now + LOOK_AROUND.max);
                        now = due;
                        let others = (0..sources).filter(|number| *number != waits_at);
                        let chosen = others.into_iter().find(|number| looks.may_ask(&name(*number)));
                        let left = (0..sources).find(|n| *n != waits_at && !asked.contains(n));
                        prop_assert_eq!(chosen, left);
                        if let Some(number) = chosen {
                            let id = IntroductionId::from_bytes([number; 16]);
                            looks.ask(id, name(number));
                            prop_assert!(looks.is_asking(id));
                            asked.push(number);
                            asking = chosen;
                        } else {
                            looks.end_round(&at(now, random));
                            asked.clear();
                        }
                    }
                    (Event::NoBetter, Some(_)) => {
                        looks.go_on(&at(now, random));
                        asking = None;
                    }
                    (Event::Better, Some(other)) => {
                        looks.leave(&at(now, random), name(waits_at));
                        asked.push(waits_at);
                        waits_at = other;
                        asking = None;
                    }
                    _ => {}
                }
                prop_assert_eq!(looks.due().is_some(), asking.is_none());
                prop_assert!(asking.is_none() || !looks.may_ask(&name(9)), "one at a time");
            }
        }

        #[test]
        fn memory_of_a_round_is_bounded(names in vec(0..200_u8, 0..300)) {
            let mut looks = Looks::begin(&at(start(), 0.0));
            for name in names {
                looks.ask(IntroductionId::from_bytes([1; 16]), source(name).username);
                looks.go_on(&at(start(), 0.0));
                prop_assert!(looks.asked.len() <= ASKED_MAX && !looks.may_ask(&source(name).username));
            }
        }
    }
}
