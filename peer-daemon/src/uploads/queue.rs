//! Who is served next: the queue of accepted introductions.
//!
//! A place is soft state. The requester keeps it by sending its introduction again; each sending brings the
//! current address and seal. A requester that was dialled and had no free slot is *set aside*: it keeps its
//! place, and others are served until it sends again.
//!
//! Where a person is asked first, a place is passed over until it is approved, and keeps its approval.
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
    is_set_aside: bool,
    is_approved: bool,
}

#[derive(Debug)]
pub(crate) struct UploadQueue<T> {
    places: VecDeque<Place<T>>,
}

/// Where a place stands: 1 is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) position: u32,
    pub(crate) is_approved: bool,
}

/// The queue is full, in all or for this requester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl<T> UploadQueue<T> {
    pub(crate) fn new() -> Self {
        Self { places: VecDeque::new() }
    }

    /// An introduction was sent, for the first time or again; a new one is approved if the policy says so.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: IntroductionId,
        username: Username,
        request: T,
        is_approved: bool,
    ) -> Result<Standing, QueueFull> {
        self.expire(now);
        let place = Place { id, username, request, sent: now, is_set_aside: false, is_approved };
        // The id alone is no proof: only the requester who has the place may renew it.
        let held = self.places.iter_mut().find(|held| held.id == id && held.username == place.username);
        if let Some(held) = held {
            *held = Place { is_approved: held.is_approved || is_approved, ..place };
        } else {
            let of_username = self.places.iter().filter(|held| held.username == place.username).count();
            if self.places.len() >= PLACES_MAX || of_username >= PLACES_PER_USERNAME_MAX {
                return Err(QueueFull);
            }
            self.places.push_back(place);
        }
        self.standing(id).ok_or(QueueFull)
    }

    /// A person agreed to a place. Answers its standing, if it is there.
    pub(crate) fn approve(&mut self, now: Instant, id: IntroductionId) -> Option<Standing> {
        self.expire(now);
        self.places.iter_mut().find(|place| place.id == id)?.is_approved = true;
        self.standing(id)
    }

    /// A person agreed to all places.
    pub(crate) fn approve_all(&mut self) {
        self.places.iter_mut().for_each(|place| place.is_approved = true);
    }

    /// Keeps those places only that are wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&Place<T>) -> bool) {
        self.places.retain(is_wanted);
    }

    /// A person refused a place. Tells whether it was there.
    pub(crate) fn refuse(&mut self, now: Instant, id: IntroductionId) -> bool {
        self.expire(now);
        let before = self.places.len();
        self.withdraw(id);
        self.places.len() < before
    }

    /// The slot is free: takes out the first place that is approved and not set aside.
    pub(crate) fn take_next(&mut self, now: Instant) -> Option<Place<T>> {
        self.expire(now);
        let index = self.places.iter().position(|place| place.is_approved && !place.is_set_aside)?;
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
        self.places.push_front(newer.unwrap_or(Place { is_set_aside: true, ..place }));
    }

    /// The requester took its introduction back.
    pub(crate) fn withdraw(&mut self, id: IntroductionId) {
        self.places.retain(|place| place.id != id);
    }

    /// The places in order, those that lapsed left out.
    pub(crate) fn places(&self, now: Instant) -> impl Iterator<Item = &Place<T>> {
        self.places.iter().filter(move |place| !place.has_lapsed(now))
    }

    fn standing(&self, id: IntroductionId) -> Option<Standing> {
        let index = self.places.iter().position(|place| place.id == id)?;
        let position = u32::try_from(index + 1).ok()?;
        Some(Standing { position, is_approved: self.places[index].is_approved })
    }

    fn expire(&mut self, now: Instant) {
        self.places.retain(|place| !place.has_lapsed(now));
    }
}

impl<T> Place<T> {
    pub(crate) fn is_approved(&self) -> bool {
        self.is_approved
    }

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
    fn at(position: u32) -> Standing {
        Standing { position, is_approved: true }
    }
    fn start() -> Instant {
        crate::clock::now()
    }

    #[test]
    fn first_come_first_served() {
        let (now, mut queue) = (start(), UploadQueue::new());
        assert_eq!(queue.send(now, id(1), name(1), (), true), Ok(at(1)));
        assert_eq!(queue.send(now, id(2), name(2), (), true), Ok(at(2)));
        assert_eq!(queue.send(now, id(1), name(1), (), true), Ok(at(1)), "sending again keeps the place");
        assert_eq!(queue.take_next(now).unwrap().id, id(1));
        assert_eq!(queue.send(now, id(2), name(2), (), true), Ok(at(1)));
    }

    #[test]
    fn a_requester_that_deferred_is_passed_over_until_it_sends_again() {
        let (now, mut queue) = (start(), UploadQueue::new());
        for n in 1..=3 {
            queue.send(now, id(n), name(n), (), true).unwrap();
        }
        let deferring = queue.take_next(now).unwrap();
        queue.defer(deferring);
        assert_eq!(queue.take_next(now).unwrap().id, id(2), "the next one goes");
        assert_eq!(queue.send(now, id(1), name(1), (), true), Ok(at(1)), "and the old position is kept");
        assert_eq!(queue.take_next(now).unwrap().id, id(1));
    }

    #[test]
    fn a_deferred_place_that_was_sent_again_meanwhile_is_ready() {
        let (now, mut queue) = (start(), UploadQueue::new());
        queue.send(now, id(1), name(1), "old", true).unwrap();
        queue.send(now, id(2), name(2), "other", true).unwrap();
        let place = queue.take_next(now).unwrap();
        queue.send(now, id(1), name(1), "new", true).unwrap();
        queue.defer(place);
        assert_eq!(queue.take_next(now).unwrap().request, "new");
        assert_eq!(queue.places(now).count(), 1);
    }

    #[test]
    fn a_place_lapses_when_it_is_not_renewed() {
        let (now, mut queue) = (start(), UploadQueue::new());
        queue.send(now, id(1), name(1), (), true).unwrap();
        let later = now + PLACE_LIFETIME;
        assert_eq!(queue.places(later).count(), 0);
        assert!(queue.take_next(later).is_none());
    }

    #[test]
    fn nobody_fills_the_queue_alone_and_a_strangers_id_renews_nothing() {
        let (now, mut queue) = (start(), UploadQueue::new());
        for n in 0..10 {
            queue.send(now, id(n), name(1), (), true).unwrap();
        }
        assert_eq!(queue.send(now, id(99), name(1), (), true), Err(QueueFull));
        assert_eq!(queue.send(now, id(5), name(2), (), true).map(|_| queue.places(now).count()), Ok(11));
        assert_eq!(queue.places(now).filter(|place| place.id == id(5)).count(), 2);
    }

    #[test]
    fn a_place_waits_for_its_approval_and_keeps_it() {
        let (now, mut queue) = (start(), UploadQueue::new());
        let asking = Standing { position: 1, is_approved: false };
        assert_eq!(queue.send(now, id(1), name(1), (), false), Ok(asking));
        assert_eq!(queue.send(now, id(2), name(2), (), true), Ok(at(2)));
        assert_eq!(queue.take_next(now).unwrap().id, id(2), "nobody waits for a person's word on another");
        assert!(queue.take_next(now).is_none());
        assert_eq!(queue.approve(now, id(1)), Some(at(1)));
        assert_eq!(queue.send(now, id(1), name(1), (), false), Ok(at(1)), "an approval was lost");
        assert!(queue.take_next(now).is_some());
        assert_eq!(queue.approve(now, id(1)), None);
        assert!(!queue.refuse(now, id(1)));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send(u8, bool),
        Approve(u8),
        Serve,
        Defer,
        Withdraw(u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..8_u8, any::<bool>()).prop_map(|(n, is_approved)| Step::Send(n, is_approved)),
            1 => (0..8_u8).prop_map(Step::Approve),
            2 => Just(Step::Serve),
            1 => Just(Step::Defer),
            1 => (0..8_u8).prop_map(Step::Withdraw),
            1 => (0..100_u64).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..80)
    }

    proptest! {
        /// Against a plain list of (id, sent at, set aside, approved): the same one is served, the order of the
        /// others holds, and nobody appears twice.
        #[test]
        fn behaves_like_a_list(steps in steps()) {
            let (mut now, mut queue) = (start(), UploadQueue::new());
            let mut model: Vec<(u8, Instant, bool, bool)> = Vec::new();
            for step in steps {
                model.retain(|(_, sent, ..)| now.duration_since(*sent) < PLACE_LIFETIME);
                let next = model.iter().position(|(_, _, aside, approved)| !aside && *approved);
                match step {
                    Step::Send(n, approved) => {
                        let standing = queue.send(now, id(n), name(n), n, approved).unwrap();
                        match model.iter_mut().find(|(held, ..)| *held == n) {
                            Some(held) => *held = (n, now, false, held.3 || approved),
                            None => model.push((n, now, false, approved)),
                        }
                        let index = model.iter().position(|(held, ..)| *held == n).unwrap();
                        prop_assert_eq!(standing.position as usize, index + 1);
                        prop_assert_eq!(standing.is_approved, model[index].3);
                    }
                    Step::Approve(n) => {
                        let held = model.iter_mut().find(|(held, ..)| *held == n);
                        prop_assert_eq!(queue.approve(now, id(n)).is_some(), held.is_some());
                        if let Some(held) = held {
                            held.3 = true;
                        }
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
                            let (n, sent, _, approved) = model.remove(index);
                            model.insert(0, (n, sent, true, approved));
                        }
                    }
                    Step::Withdraw(n) => {
                        queue.withdraw(id(n));
                        model.retain(|(held, ..)| *held != n);
                    }
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                }
            }
            model.retain(|(_, sent, ..)| now.duration_since(*sent) < PLACE_LIFETIME);
            let places: Vec<u8> = queue.places(now).map(|place| place.request).collect();
            prop_assert_eq!(places, model.iter().map(|(n, ..)| *n).collect::<Vec<_>>());
        }
    }
}
