use std::task::Waker;

use protocol::introduction::Sealed;

use super::*;
use crate::{
    config::Config,
    domain::sessions::{LineageHash, Proof},
    rules::rules,
};

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

fn name(id: u8) -> HashedName {
    HashedName { skeleton: [id; 16], exact: [id; 16] }
}

/// With sessions 1 and 2, each holding the name of its number.
fn domain(change: impl FnOnce(&mut Config), now: Instant) -> Domain {
    let mut config = Config::default();
    change(&mut config);
    let nobody = Nobody { session: session(255), name: name(255) };
    let mut domain = Domain::new(rules(&config, now), nobody, now);
    for id in [1, 2] {
        let lineage = LineageHash([id; 16]);
        let claim = Claim { session: session(id), name: name(id), lineage, proof: Proof::None, epoch: 0 };
        domain.claim(&claim, now).unwrap();
    }
    domain.take_wakes();
    domain
}

fn introduction(id: IntroductionId, to: HashedName) -> Introduction {
    Introduction {
        id,
        from: "alice".parse().unwrap(),
        to,
        endpoint: "192.0.2.1:4821".parse().unwrap(),
        sealed: Sealed::new(vec![7; 1000]),
    }
}

/// All that an introduction, and its withdrawal, leave to do: bytes that were written, mailboxes to look after,
/// polls to wake.
fn work(domain: &mut Domain, to: HashedName, now: Instant) -> Vec<(usize, usize, usize, bool)> {
    let id = IntroductionId::random();
    let (bytes_before, holding_before) = (domain.counts().mail_bytes, domain.holding.len());
    let mut work = Vec::new();
    let mut note = |domain: &mut Domain| {
        let wakes = domain.take_wakes();
        let bytes = domain.counts().mail_bytes - bytes_before;
        work.push((bytes, domain.holding.len() - holding_before, wakes.sessions.len(), wakes.everyone));
    };
    domain.introduce(session(1), introduction(id, to), now).unwrap();
    note(domain);
    domain.introduce(session(1), introduction(id, to), now).unwrap();
    note(domain);
    domain.withdraw_introduction(session(1), id, now).unwrap();
    note(domain);
    work
}

#[test]
fn an_introduction_to_nobody_is_the_same_work() {
    let now = crate::clock::now();
    let present = work(&mut domain(|_| {}, now), name(2), now);
    let absent = work(&mut domain(|_| {}, now), name(9), now);
    assert!(present.iter().all(|(bytes, holding, wakes, _)| *bytes > 0 && *holding == 1 && *wakes == 1));
    assert_eq!(present, absent);
}

#[test]
fn an_introduction_that_takes_the_place_of_one_without_a_word_is_the_same_work() {
    let now = crate::clock::now();
    let later = now + protocol::limits::INTRODUCTION_WORD;
    let of = |to: HashedName| {
        let mut domain = domain(|_| {}, now);
        for at in [now, later] {
            domain.introduce(session(1), introduction(IntroductionId::random(), to), at).unwrap();
        }
        (domain.counts(), domain.take_wakes().sessions.len())
    };
    assert_eq!(of(name(2)), of(name(9)));
}

#[test]
fn what_is_for_nobody_goes_with_the_next_sweep() {
    let now = crate::clock::now();
    let mut domain = domain(|_| {}, now);
    work(&mut domain, name(9), now);
    assert!(domain.counts().mail_bytes > 0);
    domain.sweep(now);
    assert_eq!((domain.counts().mail_bytes, domain.holding.len()), (0, 0));
    assert_eq!(domain.counts().sessions, 2, "nobody does not count");
    let id = IntroductionId::random();
    domain.introduce(session(1), introduction(id, name(9)), now).unwrap();
    domain.sweep(now + Duration::from_hours(1));
    assert_eq!(domain.counts().mail_bytes, 0, "nobody is there as long as the process is");
    assert_eq!(domain.holder(name(9), now), session(255));
}

#[test]
fn all_mailboxes_together_are_bounded_and_the_loss_is_told() {
    let now = crate::clock::now();
    let mut domain = domain(|config| config.limits.mail_bytes = 4_000, now);
    for _ in 0..5 {
        let id = IntroductionId::random();
        domain.introduce(session(1), introduction(id, name(2)), now).unwrap();
        domain.introductions.forget(id);
    }
    assert!(domain.counts().mail_bytes <= 4_000);
    let look = |cursor| domain.polls.look(session(2), None, cursor, Waker::noop(), now).unwrap().batch;
    let batch = look(None).unwrap();
    assert!(batch.events[0].contains("events_lost"), "{batch:?}");
    assert!(look(Some(batch.cursor)).is_none());
    assert_eq!(domain.counts().mail_bytes, 0);
    domain.introduce(session(1), introduction(IntroductionId::random(), name(2)), now).unwrap();
    domain.release(session(2));
    assert_eq!(domain.counts().mail_bytes, 0, "what a session held goes with it");
}
