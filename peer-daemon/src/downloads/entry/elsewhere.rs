//! The other source that a download asks while it waits in its source's queue.
//!
//! Both are asked at a time, each by its own task, and under its own token: the download goes on with one of them, and
//! the other's is cancelled.

use protocol::{IntroductionId, Username};
use tokio_util::sync::CancellationToken;

use super::Entry;
use crate::{
    clock,
    downloads::{errand::Circumstances, history::Change, looks::Place, setback::Setback, step::Step},
    searches::Source,
};

#[derive(Debug)]
pub(super) struct Elsewhere {
    id: IntroductionId,
    source: Source,
    token: CancellationToken,
}

impl Entry {
    /// Asks this source, too, until the token is cancelled.
    pub(crate) fn ask_elsewhere(&mut self, source: Source, id: IntroductionId, token: CancellationToken) {
        self.life.ask_elsewhere(id, &source);
        self.note(Step::AskedElsewhere, Some(source.username.clone()));
        self.elsewhere = Some(Elsewhere { id, source, token });
    }

    /// Nobody else has it, or is left to ask.
    pub(crate) fn find_nobody_elsewhere(&mut self, at: &Circumstances) {
        self.life.find_nobody_elsewhere(at);
    }

    /// The source that is asked under this id.
    pub(crate) fn source_under(&self, id: IntroductionId) -> &Source {
        self.other(id).map_or(&self.source, |other| &other.source)
    }

    pub(crate) fn is_asking_elsewhere(&self, id: IntroductionId) -> bool {
        self.other(id).is_some()
    }

    /// A source lets it wait: its own, or the other one, which it goes over to if the place there is better.
    pub(crate) fn wait_in_queue(&mut self, at: &Circumstances, id: IntroductionId, place: Place) {
        if self.is_asking_elsewhere(id) {
            if !self.life.would_wait_at(place) {
                let Place { position, reason } = place;
                return self.stay(at, id, Some(Step::PlaceElsewhere { position, reason }));
            }
            self.go_over(at, id);
        }
        self.live(|life, _| life.wait_in_queue(at, place));
    }

    /// Something came in the way of asking the other source.
    pub(crate) fn fail_elsewhere(&mut self, at: &Circumstances, id: IntroductionId, setback: &Setback) {
        let Some(other) = self.other(id).map(|other| other.source.clone()) else { return };
        self.life.hold_against(&other, setback);
        self.stay(at, id, Some(Step::NothingElsewhere { why: setback.clone() }));
    }

    /// The other source is not asked any more, if it is still. The place is kept.
    pub(crate) fn stay(&mut self, at: &Circumstances, id: IntroductionId, told: Option<Step>) {
        let Some(other) = self.other(id) else { return };
        let username = other.source.username.clone();
        self.life.stay(at);
        if let Some(step) = told {
            self.note(step, Some(username));
        }
        self.drop_elsewhere();
    }

    /// Goes over to the source that is asked under this id, if it is the other one, and gives up the place.
    pub(crate) fn go_over(&mut self, at: &Circumstances, id: IntroductionId) {
        let Some(Elsewhere { source, token, .. }) = self.elsewhere.take_if(|other| other.id == id) else {
            return;
        };
        self.token.cancel();
        self.token = token;
        let left = self.change_source(source);
        self.life.leave_queue(at, &left, id);
        self.note(Step::PlaceLeft, Some(left.username));
    }

    /// Whoever was asked, too, and is not any more, need not answer.
    pub(super) fn drop_elsewhere(&mut self) {
        let is_over = |other: &mut Elsewhere| !self.life.is_asking_elsewhere(other.id);
        if let Some(other) = self.elsewhere.take_if(is_over) {
            other.token.cancel();
        }
    }

    fn other(&self, id: IntroductionId) -> Option<&Elsewhere> {
        self.elsewhere.as_ref().filter(|other| other.id == id)
    }

    /// What happens beside its life.
    fn note(&mut self, step: Step, username: Option<Username>) {
        self.changes.push(Change { at: clock::wall(), state: self.life.state(), step, username });
        self.is_unsaved = true;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::{collection::vec, prelude::*};
    use protocol::{
        Conflict,
        control::DownloadState,
        introduction::{DeclineReason, QueueReason},
    };

    use super::*;
    use crate::downloads::{
        book::Wanted,
        entry::DownloadId,
        life::tests::{at, source, start},
        step::Way,
    };

    #[derive(Debug, Clone)]
    enum Event {
        /// Its own source lets it wait.
        Place(Place),
        /// A look finds this source.
        Find(u8),
        OtherPlace(Place),
        OtherFails(bool),
        OtherConnects,
        Accepted,
        PauseAndResume,
    }

    fn any_place() -> impl Strategy<Value = Place> {
        let reasons = [QueueReason::Busy, QueueReason::Asking, QueueReason::UploadsOff];
        (1..4_u32, proptest::sample::select(reasons.to_vec()))
            .prop_map(|(position, reason)| Place { position, reason })
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => any_place().prop_map(Event::Place),
            4 => (0..5_u8).prop_map(Event::Find),
            3 => any_place().prop_map(Event::OtherPlace),
            1 => any::<bool>().prop_map(Event::OtherFails),
            1 => Just(Event::OtherConnects),
            1 => Just(Event::Accepted),
            1 => Just(Event::PauseAndResume),
        ]
    }

    /// One whose source is asked.
    fn asked_entry() -> Entry {
        let token = CancellationToken::new();
        let wanted = Wanted { source: source(0), conflict: Conflict::Rename, token };
        let mut entry = Entry::new(DownloadId(1), wanted, PathBuf::new());
        entry.introduce(IntroductionId::random());
        entry.take(Step::Asked);
        entry
    }

    /// The other one that is asked: who, under which id, until when.
    type Other = (u8, IntroductionId, CancellationToken);

    proptest! {
        /// The model is who is asked, and the place at each.
        #[test]
        fn it_waits_at_one_asks_one_more_and_leaves_for_a_better_place_or_a_stream_only(
            events in vec(any_event(), 1..60),
        ) {
            let (mut entry, at) = (asked_entry(), at(start(), 0.5));
            let mut main = (0_u8, entry.life().introduction().unwrap(), entry.token.clone());
            let mut place: Option<Place> = None;
            let mut other: Option<Other> = None;
            let mut refused = Vec::new();
            for event in events {
                match event {
                    Event::Place(word) => {
                        entry.wait_in_queue(&at, main.1, word);
                        place = Some(word);
                    }
                    Event::Find(number) if number != main.0 => {
                        let may_ask = entry.life().may_ask_elsewhere(&source(number));
                        prop_assert!(!may_ask || place.is_some() && other.is_none(), "not now");
                        prop_assert!(!may_ask || !refused.contains(&number));
                        if may_ask {
                            let asked = (number, IntroductionId::random(), CancellationToken::new());
                            entry.ask_elsewhere(source(number), asked.1, asked.2.clone());
                            other = Some(asked);
                        } else if place.is_some() && other.is_none() {
                            entry.find_nobody_elsewhere(&at);
                        }
                    }
                    Event::OtherPlace(word) => if let Some((number, id, token)) = other.take() {
                        let is_better = word.is_better_than(place.unwrap());
                        entry.wait_in_queue(&at, id, word);
                        let given_up = if is_better { &main.2 } else { &token };
                        prop_assert!(given_up.is_cancelled());
                        if is_better {
                            (main, place) = ((number, id, token), Some(word));
                        }
                    }
                    Event::OtherFails(is_refusal) => if let Some((number, id, token)) = other.take() {
                        let refusal = Setback::Declined { reason: DeclineReason::Refused, version: None };
                        entry.fail_elsewhere(&at, id, if is_refusal { &refusal } else { &Setback::NoWord });
                        prop_assert!(token.is_cancelled());
                        refused.extend(is_refusal.then_some(number));
                    }
                    Event::OtherConnects => if let Some((number, id, token)) = other.take() {
                        entry.go_over(&at, id);
                        entry.take(Step::Connected { way: Way::DialBack });
                        prop_assert!(main.2.is_cancelled());
                        (main, place) = ((number, id, token), None);
                    }
                    Event::Accepted => {
                        entry.take(Step::Accepted);
                        place = None;
                    }
                    Event::PauseAndResume => {
                        entry.pause();
                        let fresh = CancellationToken::new();
                        entry.go_on(fresh.clone());
                        let id = IntroductionId::random();
                        entry.introduce(id);
                        prop_assert!(main.2.is_cancelled());
                        (main, place) = ((main.0, id, fresh), None);
                    }
                    Event::Find(_) => {}
                }
                if place.is_none() && let Some((_, id, token)) = other.take() {
                    prop_assert!(token.is_cancelled() && !entry.is_asking_elsewhere(id), "asked for nothing");
                }
                prop_assert!(!entry.token.is_cancelled() && !main.2.is_cancelled());
                prop_assert_eq!(entry.life().introduction(), Some(main.1));
                prop_assert_eq!(&entry.source.username, &source(main.0).username);
                prop_assert_eq!(entry.elsewhere.is_some(), other.is_some());
                prop_assert_eq!(entry.life().look_due().is_some(), place.is_some() && other.is_none());
                prop_assert_eq!(entry.life().position(), place.map(|place| place.position));
                prop_assert_eq!(entry.state() == DownloadState::Waiting, place.is_some());
            }
        }
    }

    #[test]
    fn what_was_asked_where_is_told() {
        let (mut entry, at) = (asked_entry(), at(start(), 0.5));
        let place = |position| Place { position, reason: QueueReason::Busy };
        entry.wait_in_queue(&at, entry.life().introduction().unwrap(), place(3));
        for (number, position) in [(1, 3), (2, 2)] {
            let id = IntroductionId::random();
            entry.ask_elsewhere(source(number), id, CancellationToken::new());
            entry.wait_in_queue(&at, id, place(position));
        }
        let told: Vec<_> = entry
            .changes
            .iter()
            .skip(2)
            .map(|change| (change.step.word(), change.username.as_ref().unwrap().to_string()))
            .collect();
        let expected = [
            ("queued", "peer0"),
            ("asked_elsewhere", "peer1"),
            ("place_elsewhere", "peer1"),
            ("asked_elsewhere", "peer2"),
            ("place_left", "peer0"),
            ("queued", "peer2"),
        ];
        assert_eq!(told, expected.map(|(word, name)| (word.to_owned(), name.to_owned())));
    }
}
