//! Who stays when more connections come than there is room for.
//!
//! Loopback is open to every user of the machine, and whoever is sent away can come again at once. So nobody is kept
//! out, for that could be the owner, who shows a session only once he is in: the oldest connection that has shown
//! none makes way. A browser's request is there when its connection is, and is answered before as many others have
//! come; who holds a place without using it loses it.

use std::collections::VecDeque;

/// The connections that are open, each with what sends it away.
#[derive(Debug)]
pub(super) struct Crowd<T> {
    /// The oldest first.
    places: VecDeque<Place<T>>,
    most: usize,
    next: u64,
}

#[derive(Debug)]
struct Place<T> {
    number: u64,
    is_trusted: bool,
    exit: T,
}

impl<T> Crowd<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { places: VecDeque::with_capacity(most), most, next: 0 }
    }

    /// Takes a connection in. The number is its own; whom the exit is of has to go.
    pub(super) fn enter(&mut self, exit: T) -> (u64, Option<T>) {
        let leaving = if self.places.len() < self.most { None } else { self.last_in_rank() };
        let leaving = leaving.and_then(|index| self.places.remove(index)).map(|place| place.exit);
        let number = self.next;
        self.next += 1;
        self.places.push_back(Place { number, is_trusted: false, exit });
        (number, leaving)
    }

    /// It has shown a session.
    pub(super) fn trust(&mut self, number: u64) {
        if let Some(place) = self.places.iter_mut().find(|place| place.number == number) {
            place.is_trusted = true;
        }
    }

    /// It has ended.
    pub(super) fn leave(&mut self, number: u64) {
        self.places.retain(|place| place.number != number);
    }

    /// The oldest without a session; where all have one, the oldest of all.
    fn last_in_rank(&self) -> Option<usize> {
        let stranger = self.places.iter().position(|place| !place.is_trusted);
        stranger.or((!self.places.is_empty()).then_some(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 4;

    #[test]
    fn who_holds_a_place_makes_way_and_a_session_stays() {
        let mut crowd = Crowd::new(2);
        let (page, nobody) = crowd.enter("the page");
        assert_eq!(nobody, None);
        crowd.trust(page);
        assert_eq!(crowd.enter("a stranger").1, None);
        assert_eq!(crowd.enter("another").1, Some("a stranger"));
        let (tab, leaving) = crowd.enter("a tab");
        assert_eq!(leaving, Some("another"));
        crowd.trust(tab);
        assert_eq!(crowd.enter("a third tab").1, Some("the page"), "all have sessions");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Enter,
        Trust(usize),
        Leave(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Enter),
            1 => (0..MOST).prop_map(Step::Trust),
            1 => (0..MOST).prop_map(Step::Leave),
        ];
        prop::collection::vec(step, 1..60)
    }

    proptest! {
        /// The model: all that are in, by age, with whether they are trusted. Sorted by rank, the last one goes.
        #[test]
        fn it_is_the_lowest_in_rank_that_goes(steps in steps()) {
            let mut crowd = Crowd::new(MOST);
            let mut model: Vec<(u64, bool)> = Vec::new();
            for step in steps {
                match step {
                    Step::Enter => {
                        let number = crowd.next;
                        let (entered, leaving) = crowd.enter(number);
                        prop_assert_eq!(entered, number);
                        let lowest = model.iter().copied().min_by_key(|&(number, trusted)| (trusted, number));
                        let expected = lowest.filter(|_| model.len() == MOST).map(|(number, _)| number);
                        prop_assert_eq!(leaving, expected);
                        model.retain(|(number, _)| Some(*number) != expected);
                        model.push((number, false));
                    }
                    Step::Trust(index) => if let Some(known) = model.get_mut(index) {
                        known.1 = true;
                        crowd.trust(known.0);
                    },
                    Step::Leave(index) => if index < model.len() {
                        crowd.leave(model.remove(index).0);
                    },
                }
                let held: Vec<_> = crowd.places.iter().map(|place| (place.number, place.is_trusted)).collect();
                prop_assert_eq!(held, model.clone());
            }
        }
    }
}
