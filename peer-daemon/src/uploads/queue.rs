//! Who is served next: the queue of accepted introductions.
//!
//! A place is soft state. The requester keeps it by sending its introduction again; each sending brings the
//! current address and seal. A requester that was dialled and had no free slot is *set aside*: it keeps its
//! place, and others are served until it sends again.
//!
//! Pure: `now` is an argument, and the one upload slot is the caller's.

use std::{collections::VecDeque, time::Instant};

use protocol::{IntroductionId, Username, limits::PLACE_LIFETIME};

/// Places in all: at one upload at a time, whoever came later would wait for days.
const PLACES_MAX: usize = 200;
/// Places of one requester, so that nobody fills the queue alone.
const PLACES_PER_USERNAME_MAX: usize = 10;

/// One waiting introduction; `T` is what is needed to serve it.
#[derive(Debug)]
pub(crate) struct Place<T> {
    pub(crate) id: IntroductionId,
    pub(crate) username: Username,
    pub(crate) request: T,
    sent: Instant,
    set_aside: bool,
}

#[derive(Debug)]
pub(crate) struct UploadQueue<T> {
    places: VecDeque<Place<T>>,
}

/// The queue is full, in all or for this requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl<T> UploadQueue<T> {
    pub(crate) fn new() -> Self {
        Self { places: VecDeque::new() }
    }

    /// An introduction was sent, for the first time or again. Answers its position; 1 is next.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: IntroductionId,
        username: Username,
        request: T,
    ) -> Result<u32, QueueFull> {
        self.expire(now);
        let place = Place { id, username, request, sent: now, set_aside: false };
        // The id alone is no proof: only the requester who has the place may renew it.
        if let Some(held) =
            self.places.iter_mut().find(|held| held.id == id && held.username == place.username)
        {
            *held = place;
        } else {
            let of_username = self.places.iter().filter(|held| held.username == place.username).count();
            if self.places.len() >= PLACES_MAX || of_username >= PLACES_PER_USERNAME_MAX {
                return Err(QueueFull);
            }
            self.places.push_back(place);
        }
        Ok(self.position(id).unwrap_or(1))
    }

    /// The slot is free: takes out the first place that is not set aside.
    pub(crate) fn take_next(&mut self, now: Instant) -> Option<Place<T>> {
        self.expire(now);
        let index = self.places.iter().position(|place| !place.set_aside)?;
        self.places.remove(index)
    }

    /// Gives a taken place back to the head of the queue, set aside until its requester sends again. If it
    /// has done so meanwhile, the newer place moves to the head.
    pub(crate) fn defer(&mut self, place: Place<T>) {
        let newer = self
            .places
            .iter()
            .position(|held| held.id == place.id && held.username == place.username)
            .and_then(|index| self.places.remove(index));
        self.places.push_front(newer.unwrap_or(Place { set_aside: true, ..place }));
    }

    /// The requester took its introduction back.
    pub(crate) fn withdraw(&mut self, id: IntroductionId) {
        self.places.retain(|place| place.id != id);
    }

    /// The places in order, those that lapsed left out.
    pub(crate) fn places(&self, now: Instant) -> impl Iterator<Item = &Place<T>> {
        self.places.iter().filter(move |place| !place.has_lapsed(now))
    }

    fn position(&self, id: IntroductionId) -> Option<u32> {
        let index = self.places.iter().position(|place| place.id == id)?;
        u32::try_from(index + 1).ok()
    }

    fn expire(&mut self, now: Instant) {
        self.places.retain(|place| !place.has_lapsed(now));
    }
}

impl<T> Place<T> {
    fn has_lapsed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sent) >= PLACE_LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> IntroductionId {
        IntroductionId::from_bytes([n; 16])
    }
    fn name(n: u8) -> Username {
        format!("user{n}").parse().unwrap()
    }
    fn start() -> Instant {
        crate::clock::now()
    }

    #[test]
    fn first_come_first_served() {
        let (now, mut queue) = (start(), UploadQueue::new());
        assert_eq!(queue.send(now, id(1), name(1), ()), Ok(1));
        assert_eq!(queue.send(now, id(2), name(2), ()), Ok(2));
        assert_eq!(queue.send(now, id(1), name(1), ()), Ok(1), "sending again keeps the place");
        assert_eq!(queue.take_next(now).unwrap().id, id(1));
        assert_eq!(queue.send(now, id(2), name(2), ()), Ok(1));
    }

    #[test]
    fn a_requester_that_deferred_is_passed_over_until_it_sends_again() {
        let (now, mut queue) = (start(), UploadQueue::new());
        for n in 1..=3 {
            queue.send(now, id(n), name(n), ()).unwrap();
        }
        let deferring = queue.take_next(now).unwrap();
        queue.defer(deferring);
        assert_eq!(queue.take_next(now).unwrap().id, id(2), "the next one goes");
        assert_eq!(queue.send(now, id(1), name(1), ()), Ok(1), "and the old position is kept");
        assert_eq!(queue.take_next(now).unwrap().id, id(1));
    }

    #[test]
    fn a_deferred_place_that_was_sent_again_meanwhile_is_ready() {
        let (now, mut queue) = (start(), UploadQueue::new());
        queue.send(now, id(1), name(1), "old").unwrap();
        queue.send(now, id(2), name(2), "other").unwrap();
        let place = queue.take_next(now).unwrap();
        queue.send(now, id(1), name(1), "new").unwrap();
        queue.defer(place);
        assert_eq!(queue.take_next(now).unwrap().request, "new");
        assert_eq!(queue.places(now).count(), 1);
    }

    #[test]
    fn a_place_lapses_when_it_is_not_renewed() {
        let (now, mut queue) = (start(), UploadQueue::new());
        queue.send(now, id(1), name(1), ()).unwrap();
        let later = now + PLACE_LIFETIME;
        assert_eq!(queue.places(later).count(), 0);
        assert!(queue.take_next(later).is_none());
    }

    #[test]
    fn nobody_fills_the_queue_alone_and_a_strangers_id_renews_nothing() {
        let (now, mut queue) = (start(), UploadQueue::new());
        for n in 0..10 {
            queue.send(now, id(n), name(1), ()).unwrap();
        }
        assert_eq!(queue.send(now, id(99), name(1), ()), Err(QueueFull));
        assert_eq!(queue.send(now, id(5), name(2), ()).map(|_| queue.places(now).count()), Ok(11));
        assert_eq!(queue.places(now).filter(|place| place.id == id(5)).count(), 2);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send(u8),
        Serve,
        Defer,
        Withdraw(u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..8_u8).prop_map(Step::Send),
            2 => Just(Step::Serve),
            1 => Just(Step::Defer),
            1 => (0..8_u8).prop_map(Step::Withdraw),
            1 => (0..100_u64).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..80)
    }

    proptest! {
        /// Against a plain list of (id, sent at, set aside): the same one is served, the order of the
        /// others holds, and nobody appears twice.
        #[test]
        fn behaves_like_a_list(steps in steps()) {
            let (mut now, mut queue) = (start(), UploadQueue::new());
            let mut model: Vec<(u8, Instant, bool)> = Vec::new();
            for step in steps {
                model.retain(|(_, sent, _)| now.duration_since(*sent) < PLACE_LIFETIME);
                let next = model.iter().position(|(_, _, aside)| !aside);
                match step {
                    Step::Send(n) => {
                        let position = queue.send(now, id(n), name(n), n).unwrap();
                        match model.iter_mut().find(|(held, ..)| *held == n) {
                            Some(held) => *held = (n, now, false),
                            None => model.push((n, now, false)),
                        }
                        let expected = model.iter().position(|(held, ..)| *held == n).unwrap() + 1;
                        prop_assert_eq!(position as usize, expected);
                    }
                    Step::Serve => {
                        let expected = next.map(|index| model.remove(index).0);
                        prop_assert_eq!(queue.take_next(now).map(|place| place.request), expected);
                    }
                    Step::Defer => {
                        if let Some(place) = queue.take_next(now) {
                            queue.defer(place);
                        }
                        if let Some(index) = next {
                            let (n, sent, _) = model.remove(index);
                            model.insert(0, (n, sent, true));
                        }
                    }
                    Step::Withdraw(n) => {
                        queue.withdraw(id(n));
                        model.retain(|(held, ..)| *held != n);
                    }
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                }
            }
            model.retain(|(_, sent, _)| now.duration_since(*sent) < PLACE_LIFETIME);
            let places: Vec<u8> = queue.places(now).map(|place| place.request).collect();
            prop_assert_eq!(places, model.iter().map(|(n, ..)| *n).collect::<Vec<_>>());
        }
    }
}
