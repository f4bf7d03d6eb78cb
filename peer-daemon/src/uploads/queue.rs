//! Who is served next: the queue of introductions, in turns of usernames.
//!
//! Each username has a lane, in which its places stand in the order of their coming. Whoever has had no turn for
//! the longest is next, and of its lane the first place that is ready: so ten places of one requester don't make
//! another one wait for all ten.
//!
//! ```text
//!            lane of anna, since 4:   a2  a3  a4          the order that is told:
//!            lane of bert, since 5:   b1  b2              a2  b1  c1  a3  b2  a4
//!            lane of carl, since 6:   c1
//! ```
//!
//! A place is soft state. The requester keeps it by sending its introduction again; each sending brings the
//! current address and seal. A place that was taken and comes back is *set aside*: it is passed over until its
//! requester sends again. Whoever still has its turn before it ([`Aside::keeps_turn`]) then has its old
//! position; whoever had it is last. Where a person is asked first, a place is passed over until it is approved,
//! and keeps its approval.
//!
//! **Nobody starves.** For whoever has a place that is ready and first of its lane, and keeps it so: until it is
//! taken, each other username has at most one turn, and between two turns at most one stream that came to
//! nothing. For the n-th place of a lane it is n times that, whoever else comes.
//!
//! Pure: `now` is an argument, and the one upload slot is the caller's.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use protocol::{IntroductionId, Username, limits::PLACE_LIFETIME};

use super::aside::Aside;

/// Places in all: at one upload at a time, whoever came later would wait for days.
const PLACES_MAX: usize = 200;
/// Places of one requester: its lane takes memory and rows, if not the others' time.
const PLACES_PER_USERNAME_MAX: usize = 10;

/// One waiting introduction; `T` is what is needed to serve it.
#[derive(Debug)]
pub(crate) struct Place<T> {
    pub(crate) id: IntroductionId,
    /// None where it was kept over a restart: it is not known until it is sent again.
    pub(crate) request: Option<T>,
    pub(crate) is_approved: bool,
    pub(crate) aside: Option<Aside>,
    pub(crate) kept_until: Instant,
    /// What it has used of its turn in streams that broke off.
    used: Duration,
}

/// A place that was taken out to be served. It comes back by [`UploadQueue::settle`].
#[derive(Debug)]
pub(crate) struct Taken<T> {
    pub(crate) id: IntroductionId,
    pub(crate) username: Username,
    pub(crate) request: T,
    /// Of its turn, in earlier streams.
    pub(crate) used: Duration,
    since: u64,
}

#[derive(Debug)]
struct Lane<T> {
    username: Username,
    /// Counts turns and first places: the smaller, the longer ago.
    since: u64,
    /// It was taken in vain since somebody last had a turn.
    was_tried: bool,
    places: VecDeque<Place<T>>,
}

#[derive(Debug)]
pub(crate) struct UploadQueue<T> {
    lanes: Vec<Lane<T>>,
    next_since: u64,
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
        Self { lanes: Vec::new(), next_since: 0 }
    }

    /// An introduction was sent, for the first time or again; a new one is approved if the policy says so.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: IntroductionId,
        username: &Username,
        request: T,
        is_approved: bool,
    ) -> Result<Standing, QueueFull> {
        self.expire(now);
        let kept_until = now + PLACE_LIFETIME;
        // The id alone is no proof: only the requester who has the place may renew it.
        if let Some(held) = self.place_mut(id, username) {
            *held = Place {
                id,
                request: Some(request),
                is_approved: held.is_approved || is_approved,
                aside: None,
                kept_until,
                used: held.used,
            };
        } else {
            let used = Duration::ZERO;
            let place = Place { id, request: Some(request), is_approved, aside: None, kept_until, used };
            self.append(username, place)?;
        }
        self.standing(now, id, username).ok_or(QueueFull)
    }

    /// A place of before a restart. Those that were first come first.
    pub(crate) fn restore(
        &mut self,
        id: IntroductionId,
        username: &Username,
        is_approved: bool,
        kept_until: Instant,
    ) -> Result<(), QueueFull> {
        let aside = Some(Aside::Restarted);
        let place = Place { id, request: None, is_approved, aside, kept_until, used: Duration::ZERO };
        self.append(username, place)
    }

    /// A person agreed to a place. Answers its standing, if it is there.
    pub(crate) fn approve(&mut self, now: Instant, id: IntroductionId) -> Option<Standing> {
        let lane = self.lanes.iter_mut().find(|lane| lane.places.iter().any(|place| place.id == id))?;
        let place = lane.places.iter_mut().find(|place| place.id == id)?;
        place.is_approved = true;
        let username = lane.username.clone();
        self.standing(now, id, &username)
    }

    /// A person agreed to all places.
    pub(crate) fn approve_all(&mut self) {
        let places = self.lanes.iter_mut().flat_map(|lane| &mut lane.places);
        places.for_each(|place| place.is_approved = true);
    }

    /// Keeps those places only that are wanted; tells whether any went.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&Username, &Place<T>) -> bool) -> bool {
        let before = self.len();
        for lane in &mut self.lanes {
            lane.places.retain(|place| is_wanted(&lane.username, place));
        }
        self.lanes.retain(|lane| !lane.places.is_empty());
        self.len() < before
    }

    /// The slot is free: takes out the next place that is ready.
    pub(crate) fn take_next(&mut self, now: Instant) -> Option<Taken<T>> {
        self.expire(now);
        let ready = self.lanes.iter_mut().filter(|lane| lane.places.iter().any(Place::is_ready));
        let lane = ready.min_by_key(|lane| (lane.was_tried, lane.since))?;
        let index = lane.places.iter().position(Place::is_ready)?;
        let place = lane.places.remove(index)?;
        let (username, since) = (lane.username.clone(), lane.since);
        lane.since = self.next_since;
        self.next_since += 1;
        self.lanes.retain(|lane| !lane.places.is_empty());
        Some(Taken { id: place.id, username, request: place.request?, used: place.used, since })
    }

    /// What became of a place that was taken: it is gone, or comes back to the head of its lane, having `used`
    /// so much of its turn in all. If its requester has sent again meanwhile, the newer place is in its stead.
    pub(crate) fn settle(&mut self, now: Instant, taken: Taken<T>, aside: Option<Aside>, used: Duration) {
        let keeps_turn = aside.is_some_and(Aside::keeps_turn);
        if !keeps_turn {
            self.lanes.iter_mut().for_each(|lane| lane.was_tried = false);
        }
        let Some(aside) = aside else { return };
        let Taken { id, username, request, since, .. } = taken;
        let used = if keeps_turn { used } else { Duration::ZERO };
        let lane = self.lane_of(&username);
        if keeps_turn {
            lane.since = since;
            lane.was_tried = true;
        }
        let newer = lane.places.iter().position(|place| place.id == id);
        let place = newer.and_then(|index| lane.places.remove(index)).map_or(
            Place {
                id,
                request: Some(request),
                is_approved: true,
                aside: Some(aside),
                kept_until: now + PLACE_LIFETIME,
                used,
            },
            |newer| Place { used, ..newer },
        );
        lane.places.push_front(place);
    }

    /// The places in the order in which they are served if all use their turns; those that lapsed left out.
    pub(crate) fn places(&self, now: Instant) -> impl Iterator<Item = (&Username, &Place<T>)> {
        self.in_order(now).into_iter()
    }

    /// Whether anybody else is ready.
    pub(crate) fn others_wait(&self, now: Instant, username: &Username) -> bool {
        let is_ready = |place: &Place<T>| place.is_ready() && !place.has_lapsed(now);
        self.lanes.iter().any(|lane| lane.username != *username && lane.places.iter().any(is_ready))
    }

    /// When the next place lapses, unless it is renewed.
    pub(crate) fn next_lapse(&self) -> Option<Instant> {
        self.lanes.iter().flat_map(|lane| &lane.places).map(|place| place.kept_until).min()
    }

    fn in_order(&self, now: Instant) -> Vec<(&Username, &Place<T>)> {
        let mut order = Vec::with_capacity(self.len());
        for lane in &self.lanes {
            let places = lane.places.iter().filter(|place| !place.has_lapsed(now));
            order.extend(
                (0..).zip(places).map(|(index, place)| ((index, lane.since), (&lane.username, place))),
            );
        }
        order.sort_by_key(|((index, since), _): &((usize, u64), _)| (*index, *since));
        order.into_iter().map(|(_, place)| place).collect()
    }

    fn standing(&self, now: Instant, id: IntroductionId, username: &Username) -> Option<Standing> {
        let order = self.in_order(now);
        let index = order.iter().position(|(of, place)| place.id == id && *of == username)?;
        let position = u32::try_from(index + 1).ok()?;
        Some(Standing { position, is_approved: order[index].1.is_approved })
    }

    fn append(&mut self, username: &Username, place: Place<T>) -> Result<(), QueueFull> {
        let of_username = self.lanes.iter().find(|lane| lane.username == *username);
        if self.len() >= PLACES_MAX
            || of_username.is_some_and(|lane| lane.places.len() >= PLACES_PER_USERNAME_MAX)
        {
            return Err(QueueFull);
        }
        self.lane_of(username).places.push_back(place);
        Ok(())
    }

    /// The lane of a username; a new one is the last.
    fn lane_of(&mut self, username: &Username) -> &mut Lane<T> {
        let index = self.lanes.iter().position(|lane| lane.username == *username).unwrap_or_else(|| {
            let (username, since) = (username.clone(), self.next_since);
            self.next_since += 1;
            self.lanes.push(Lane { username, since, was_tried: false, places: VecDeque::new() });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    fn place_mut(&mut self, id: IntroductionId, username: &Username) -> Option<&mut Place<T>> {
        let lane = self.lanes.iter_mut().find(|lane| lane.username == *username)?;
        lane.places.iter_mut().find(|place| place.id == id)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.retain(|_, place| !place.has_lapsed(now));
    }

    fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.places.len()).sum()
    }
}

impl<T> Place<T> {
    fn is_ready(&self) -> bool {
        self.is_approved && self.aside.is_none() && self.request.is_some()
    }

    fn has_lapsed(&self, now: Instant) -> bool {
        now >= self.kept_until
    }
}

#[cfg(test)]
mod tests;
