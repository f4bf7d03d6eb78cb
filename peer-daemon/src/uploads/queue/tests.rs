use std::collections::BTreeMap;

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

/// The introduction that is next, put back for as long as it takes to look.
fn served<T>(queue: &mut UploadQueue<T>, now: Instant) -> Option<u8> {
    let taken = queue.take_next(now)?;
    let number = taken.id.as_bytes()[0];
    queue.settle(now, taken, None, Duration::ZERO);
    Some(number)
}

#[test]
fn one_after_the_other_and_sending_again_keeps_the_place() {
    let (now, mut queue) = (start(), UploadQueue::new());
    assert_eq!(queue.send(now, id(1), &name(1), (), true), Ok(at(1)));
    assert_eq!(queue.send(now, id(2), &name(2), (), true), Ok(at(2)));
    assert_eq!(queue.send(now, id(1), &name(1), (), true), Ok(at(1)));
    assert_eq!(served(&mut queue, now), Some(1));
    assert_eq!(queue.send(now, id(2), &name(2), (), true), Ok(at(1)));
}

#[test]
fn usernames_take_turns_however_many_places_each_has() {
    let (now, mut queue) = (start(), UploadQueue::new());
    for n in 10..14 {
        queue.send(now, id(n), &name(1), (), true).unwrap();
    }
    assert_eq!(queue.send(now, id(20), &name(2), (), true), Ok(at(2)), "after one of the other's");
    assert_eq!(queue.send(now, id(21), &name(2), (), true), Ok(at(4)));
    assert_eq!(queue.send(now, id(13), &name(1), (), true), Ok(at(6)));
    let order: Vec<_> = std::iter::from_fn(|| served(&mut queue, now)).collect();
    assert_eq!(order, [10, 20, 11, 21, 12, 13]);
}

#[test]
fn who_defers_is_passed_over_until_it_sends_again() {
    let (now, mut queue) = (start(), UploadQueue::new());
    for n in 1..=3 {
        queue.send(now, id(n), &name(n), (), true).unwrap();
    }
    let deferring = queue.take_next(now).unwrap();
    queue.settle(now, deferring, Some(Aside::Deferred), Duration::ZERO);
    assert_eq!(served(&mut queue, now), Some(2), "the next one goes");
    assert_eq!(queue.send(now, id(1), &name(1), (), true), Ok(at(1)), "and the old position is kept");
    assert_eq!(served(&mut queue, now), Some(1));
}

#[test]
fn who_had_its_turn_is_last_and_who_lost_its_stream_has_the_rest_of_it() {
    let (now, mut queue) = (start(), UploadQueue::new());
    for n in 1..=3 {
        queue.send(now, id(n), &name(n), (), true).unwrap();
    }
    let slow = queue.take_next(now).unwrap();
    queue.settle(now, slow, Some(Aside::Slow), Duration::from_mins(1));
    assert_eq!(queue.send(now, id(1), &name(1), (), true), Ok(at(3)));
    let lost = queue.take_next(now).unwrap();
    assert_eq!((lost.id, lost.used), (id(2), Duration::ZERO));
    queue.settle(now, lost, Some(Aside::Lost), Duration::from_mins(1));
    assert_eq!(queue.send(now, id(2), &name(2), (), true), Ok(at(1)));
    assert_eq!(served(&mut queue, now), Some(3), "who was not tried comes before who was tried in vain");
    let again = queue.take_next(now).unwrap();
    assert_eq!((again.id, again.used), (id(2), Duration::from_mins(1)));
}

#[test]
fn a_place_that_was_sent_again_while_it_was_served_is_ready() {
    let (now, mut queue) = (start(), UploadQueue::new());
    queue.send(now, id(1), &name(1), "old", true).unwrap();
    queue.send(now, id(2), &name(2), "other", true).unwrap();
    let taken = queue.take_next(now).unwrap();
    queue.send(now, id(1), &name(1), "new", true).unwrap();
    queue.settle(now, taken, Some(Aside::Lost), Duration::from_mins(1));
    assert_eq!(queue.places(now).count(), 2);
    assert_eq!(served(&mut queue, now), Some(2));
    let again = queue.take_next(now).unwrap();
    assert_eq!((again.request, again.used), ("new", Duration::from_mins(1)));
}

#[test]
fn a_place_lapses_when_it_is_not_renewed() {
    let (now, mut queue) = (start(), UploadQueue::new());
    queue.send(now, id(1), &name(1), (), true).unwrap();
    queue.send(now + Duration::from_secs(9), id(2), &name(1), (), false).unwrap();
    let later = now + PLACE_LIFETIME;
    assert_eq!(queue.next_lapse(), Some(later));
    assert_eq!(queue.places(later).count(), 1);
    assert!(queue.others_wait(now, &name(2)) && !queue.others_wait(later, &name(2)));
    assert!(queue.take_next(later).is_none());
    queue.expire(later + Duration::from_secs(9));
    assert_eq!(queue.next_lapse(), None);
}

#[test]
fn nobody_fills_the_queue_alone_and_a_strangers_id_renews_nothing() {
    let (now, mut queue) = (start(), UploadQueue::new());
    for n in 0..10 {
        queue.send(now, id(n), &name(1), (), true).unwrap();
    }
    assert_eq!(queue.send(now, id(99), &name(1), (), true), Err(QueueFull));
    assert_eq!(queue.send(now, id(0), &name(2), (), true), Ok(at(2)));
    assert_eq!(queue.places(now).filter(|(_, place)| place.id == id(0)).count(), 2);
}

#[test]
fn all_requesters_together_have_so_many_places() {
    let (now, mut queue) = (start(), UploadQueue::new());
    for n in 0..200 {
        queue.send(now, id(n), &name(n / 10), (), true).unwrap();
    }
    assert_eq!(queue.send(now, id(200), &name(20), (), true), Err(QueueFull));
    assert_eq!(queue.send(now, id(199), &name(19), (), true), Ok(at(200)), "it has its place");
}

#[test]
fn a_place_waits_for_its_approval_and_keeps_it() {
    let (now, mut queue) = (start(), UploadQueue::new());
    let asking = Standing { position: 1, is_approved: false };
    assert_eq!(queue.send(now, id(1), &name(1), (), false), Ok(asking));
    assert_eq!(queue.send(now, id(2), &name(2), (), true), Ok(at(2)));
    assert!(!queue.others_wait(now, &name(2)), "who waits for a word keeps nobody waiting");
    assert_eq!(served(&mut queue, now), Some(2), "nobody waits for a person's word on another");
    assert!(queue.take_next(now).is_none());
    assert_eq!(queue.approve(now, id(1)), Some(at(1)));
    assert_eq!(queue.send(now, id(1), &name(1), (), false), Ok(at(1)), "an approval was lost");
    assert!(queue.others_wait(now, &name(2)) && !queue.others_wait(now, &name(1)));
    assert!(queue.take_next(now).is_some());
    assert_eq!(queue.approve(now, id(1)), None);
}

#[test]
fn places_of_before_a_restart_keep_their_order_and_wait_to_be_sent_again() {
    let (now, mut before) = (start(), UploadQueue::new());
    for (n, user) in [(1, 1), (2, 1), (3, 2), (4, 3), (5, 2)] {
        before.send(now, id(n), &name(user), (), true).unwrap();
    }
    let order: Vec<_> = before.places(now).map(|(user, place)| (place.id, user.clone())).collect();
    let mut queue = UploadQueue::new();
    for (id, username) in &order {
        queue.restore(*id, username, true, now + Duration::from_secs(9)).unwrap();
    }
    assert!(queue.take_next(now).is_none());
    assert_eq!(queue.send(now, id(7), &name(7), (), true), Ok(at(4)), "a newcomer is behind them");
    for (position, (id, username)) in (1..).zip(&order).filter(|(position, _)| *position < 4) {
        assert_eq!(queue.send(now, *id, username, (), true), Ok(at(position)));
    }
    assert_eq!(served(&mut queue, now), Some(1));
    assert_eq!(
        queue.places(now + Duration::from_secs(9)).count(),
        3,
        "who did not come back in time is gone"
    );
}

/// What can become of a place that was taken.
fn outcomes() -> impl Strategy<Value = Option<Aside>> {
    prop_oneof![
        Just(None),
        Just(Some(Aside::Deferred)),
        Just(Some(Aside::Lost)),
        Just(Some(Aside::Slow)),
        Just(Some(Aside::TurnOver)),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Send {
        n: u8,
        is_approved: bool,
    },
    Approve(u8),
    ApproveAll,
    /// With what the turn has been used for then.
    Serve(Option<Aside>, u64),
    Withdraw(u8),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..12_u8, any::<bool>()).prop_map(|(n, is_approved)| Step::Send { n, is_approved }),
        1 => (0..12_u8).prop_map(Step::Approve),
        1 => Just(Step::ApproveAll),
        4 => (outcomes(), 0..600_u64).prop_map(|(outcome, used)| Step::Serve(outcome, used)),
        1 => (0..12_u8).prop_map(Step::Withdraw),
        1 => (0..100_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..100)
}

/// Introduction `n` is of user `n / 3`: three each.
fn user_of(n: u8) -> u8 {
    n / 3
}

/// The model: one flat list in the order of coming, and for each user a stamp of its last turn. Everything is
/// worked out anew from them.
#[derive(Default)]
struct Model {
    places: Vec<Entry>,
    stamps: BTreeMap<u8, (bool, u32)>,
    clock: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    n: u8,
    until: Instant,
    is_aside: bool,
    is_approved: bool,
    used: u64,
}

impl Model {
    fn forget(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.places.retain(keep);
        let places = &self.places;
        self.stamps.retain(|user, _| places.iter().any(|entry| user_of(entry.n) == *user));
    }
    fn stamp(&mut self, user: u8) {
        self.clock += 1;
        self.stamps.insert(user, (false, self.clock));
    }
    fn rank(&self, entry: &Entry) -> usize {
        let of_user = self.places.iter().filter(|other| user_of(other.n) == user_of(entry.n));
        of_user.take_while(|other| other.n != entry.n).count()
    }
    fn order(&self) -> Vec<u8> {
        let mut order = self.places.clone();
        order.sort_by_key(|entry| (self.rank(entry), self.stamps[&user_of(entry.n)].1));
        order.iter().map(|entry| entry.n).collect()
    }
    fn next(&self) -> Option<usize> {
        let ready = |entry: &Entry| entry.is_approved && !entry.is_aside;
        let (index, _) = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, entry)| ready(entry))
            .min_by_key(|(index, entry)| (self.stamps[&user_of(entry.n)], *index))?;
        Some(index)
    }
    fn serve(&mut self, now: Instant, outcome: Option<Aside>, spent: u64) -> Option<(u8, u64)> {
        let entry = self.places.remove(self.next()?);
        let user = user_of(entry.n);
        let stamp = self.stamps[&user];
        if !outcome.is_some_and(Aside::keeps_turn) {
            self.stamps.values_mut().for_each(|(was_tried, _)| *was_tried = false);
        }
        self.stamp(user);
        if outcome.is_some_and(Aside::keeps_turn) {
            self.stamps.insert(user, (true, stamp.1));
        }
        if outcome.is_some() {
            let rest = if outcome.is_some_and(Aside::keeps_turn) { spent } else { 0 };
            let back = Entry { is_aside: true, until: now + PLACE_LIFETIME, used: rest, ..entry };
            let first = self.places.iter().position(|other| user_of(other.n) == user);
            self.places.insert(first.unwrap_or(self.places.len()), back);
        }
        self.forget(|_| true);
        Some((entry.n, entry.used))
    }
}

proptest! {
    #[test]
    fn behaves_as_a_flat_list_with_a_stamp_for_each_user(steps in steps()) {
        let (mut now, mut queue, mut model) = (start(), UploadQueue::new(), Model::default());
        for step in steps {
            model.forget(|entry| now < entry.until);
            match step {
                Step::Send { n, is_approved } => {
                    let standing = queue.send(now, id(n), &name(user_of(n)), n, is_approved).unwrap();
                    let until = now + PLACE_LIFETIME;
                    if let Some(held) = model.places.iter_mut().find(|held| held.n == n) {
                        let is_approved = held.is_approved || is_approved;
                        *held = Entry { until, is_aside: false, is_approved, ..*held };
                    } else {
                        if !model.stamps.contains_key(&user_of(n)) {
                            model.stamp(user_of(n));
                        }
                        model.places.push(Entry { n, until, is_aside: false, is_approved, used: 0 });
                    }
                    let index = model.order().iter().position(|held| *held == n).unwrap();
                    prop_assert_eq!(standing.position as usize, index + 1);
                    let held = model.places.iter().find(|held| held.n == n).unwrap();
                    prop_assert_eq!(standing.is_approved, held.is_approved);
                }
                Step::Approve(n) => {
                    let held = model.places.iter_mut().find(|held| held.n == n);
                    prop_assert_eq!(queue.approve(now, id(n)).is_some(), held.is_some());
                    if let Some(held) = held {
                        held.is_approved = true;
                    }
                }
                Step::ApproveAll => {
                    queue.approve_all();
                    model.places.iter_mut().for_each(|held| held.is_approved = true);
                }
                Step::Serve(outcome, used) => {
                    let taken = queue.take_next(now);
                    let told = taken.as_ref().map(|taken| (taken.request, taken.used.as_secs()));
                    prop_assert_eq!(told, model.serve(now, outcome, used));
                    if let Some(taken) = taken {
                        queue.settle(now, taken, outcome, Duration::from_secs(used));
                    }
                }
                Step::Withdraw(n) => {
                    queue.expire(now);
                    let was_there = model.places.iter().any(|held| held.n == n);
                    prop_assert_eq!(queue.retain(|_, place| place.id != id(n)), was_there);
                    model.forget(|entry| entry.n != n);
                }
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
            }
        }
        model.forget(|entry| now < entry.until);
        let order: Vec<u8> = queue.places(now).map(|(_, place)| place.id.as_bytes()[0]).collect();
        prop_assert_eq!(order, model.order());
    }

    /// Whatever becomes of the others, who all come again at once, and however many come besides: whoever keeps
    /// the n-th place of its lane ready is served before any other username has had more than n turns, and
    /// between two turns nobody is taken in vain twice.
    #[test]
    fn nobody_starves(
        others in proptest::collection::vec(1..4_u8, 1..6),
        before in 0..3_u8,
        outcomes in proptest::collection::vec(outcomes(), 200),
    ) {
        let (now, mut queue) = (start(), UploadQueue::new());
        let me = name(99);
        let send_others = |queue: &mut UploadQueue<()>| {
            for (user, places) in (0_u8..).zip(&others) {
                for n in 0..*places {
                    queue.send(now, id(user * 10 + n), &name(user), (), true).unwrap();
                }
            }
        };
        send_others(&mut queue);
        for n in 0..=before {
            queue.send(now, id(200 + n), &me, (), true).unwrap();
        }
        let wanted = id(200 + before);
        let (mut turns, mut in_vain) = (BTreeMap::<Username, u8>::new(), BTreeMap::<Username, u8>::new());
        for outcome in outcomes {
            let taken = queue.take_next(now).unwrap();
            if taken.id == wanted {
                return Ok(());
            }
            // My own places before it are used as they come.
            let outcome = if taken.username == me { None } else { outcome };
            let username = taken.username.clone();
            if outcome.is_some_and(Aside::keeps_turn) {
                let count = in_vain.entry(username).or_default();
                *count += 1;
                prop_assert!(*count <= 1, "taken in vain twice between two turns");
            } else {
                in_vain.clear();
                if username != me {
                    let count = turns.entry(username).or_default();
                    *count += 1;
                    prop_assert!(*count <= before + 1, "{count} turns before place {}", before + 1);
                }
            }
            queue.settle(now, taken, outcome, Duration::ZERO);
            send_others(&mut queue);
        }
        prop_assert!(false, "never served");
    }
}
