use protocol::introduction::QueueReason;

use super::*;

const RULES: IntroductionRules =
    IntroductionRules { lifetime: Duration::from_mins(1), pending_max: 3, remembered_max: 40 };
const REQUESTER: SessionId = SessionId([1; 16]);
const OTHER: SessionId = SessionId([2; 16]);

fn name(number: u8) -> HashedName {
    HashedName { skeleton: [number; 16], exact: [number; 16] }
}

fn queued(position: u32) -> Reply {
    Reply::Queued { position, reason: QueueReason::Busy }
}

#[test]
fn a_word_reaches_the_requester_once_for_each_sending() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let id = IntroductionId::random();
    assert_eq!(introductions.send(id, REQUESTER, name(9), now), Ok(None));
    assert_eq!(introductions.reply(id, name(9), &queued(2), now), Ok(Some(REQUESTER)));
    assert_eq!(introductions.reply(id, name(9), &queued(2), now), Ok(None), "a repeat does nothing more");
    assert_eq!(introductions.reply(id, name(9), &queued(1), now), Ok(Some(REQUESTER)));
    introductions.send(id, REQUESTER, name(9), now).unwrap();
    assert_eq!(introductions.reply(id, name(9), &queued(1), now), Ok(Some(REQUESTER)), "asked again");
}

#[test]
fn only_the_target_replies_and_only_the_maker_withdraws() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let id = IntroductionId::random();
    introductions.send(id, REQUESTER, name(9), now).unwrap();
    assert_eq!(introductions.reply(id, name(8), &Reply::Accepted {}, now), Err(IntroductionOver));
    let unknown = introductions.reply(IntroductionId::random(), name(9), &Reply::Accepted {}, now);
    assert_eq!(unknown, Err(IntroductionOver));
    assert_eq!(introductions.send(id, OTHER, name(9), now), Err(IntroduceError::IdTaken));
    assert_eq!(introductions.send(id, REQUESTER, name(8), now), Err(IntroduceError::IdTaken));
    assert_eq!(introductions.withdraw(id, OTHER), Err(IntroductionOver));
    assert_eq!(introductions.withdraw(id, REQUESTER), Ok(Some(name(9))));
    assert_eq!(introductions.withdraw(id, REQUESTER), Ok(None), "a repeat is answered alike");
    assert_eq!(introductions.reply(id, name(9), &Reply::Accepted {}, now), Err(IntroductionOver));
    introductions.send(id, REQUESTER, name(9), now).unwrap();
    assert_eq!(introductions.reply(id, name(9), &Reply::Accepted {}, now), Ok(Some(REQUESTER)), "asked anew");
}

#[test]
fn all_requesters_together_have_so_many_remembered() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let mut send = |requester| {
        let requester = SessionId([requester; 16]);
        introductions.send(IntroductionId::random(), requester, name(9), now)
    };
    assert!((0..40).all(|requester| send(requester) == Ok(None)));
    assert_eq!(send(40), Err(IntroduceError::TooMany));
}

#[test]
fn a_target_has_one_introduction_of_a_requester_without_a_word() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let (first, second, third) =
        (IntroductionId::random(), IntroductionId::random(), IntroductionId::random());
    introductions.send(first, REQUESTER, name(9), now).unwrap();
    let refused = introductions.send(second, REQUESTER, name(9), now);
    assert_eq!(refused, Err(IntroduceError::TargetPending { retry_after: INTRODUCTION_WORD }));
    introductions.send(second, OTHER, name(9), now).unwrap();

    introductions.reply(first, name(9), &queued(1), now).unwrap();
    introductions.send(third, REQUESTER, name(9), now).expect("the first has its word");
    let later = now + INTRODUCTION_WORD;
    let replaced = introductions.send(IntroductionId::random(), REQUESTER, name(9), later);
    assert_eq!(replaced, Ok(Some(third)), "one without a word in time makes room");
}

#[test]
fn what_is_sent_again_after_an_answer_counts_as_pending_again() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let ids: Vec<_> = (0..4).map(|_| IntroductionId::random()).collect();
    for (id, target) in ids.iter().zip(0..) {
        introductions.send(*id, REQUESTER, name(target), now).unwrap();
        if target == 0 {
            introductions.reply(*id, name(target), &Reply::Accepted {}, now).unwrap();
        }
    }
    assert_eq!(introductions.send(ids[0], REQUESTER, name(0), now), Err(IntroduceError::TooMany));
    assert_eq!(introductions.send(ids[1], REQUESTER, name(1), now), Ok(None), "it is among them");
    introductions.withdraw(ids[2], REQUESTER).unwrap();
    assert_eq!(introductions.send(ids[0], REQUESTER, name(0), now), Ok(None));
}

#[test]
fn a_requester_has_so_many_pending_and_so_many_remembered() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let mut send = |target| {
        let id = IntroductionId::random();
        introductions.send(id, REQUESTER, name(target), now).map(|_| id)
    };
    let ids: Vec<_> = (0..3).map(|target| send(target).unwrap()).collect();
    assert_eq!(send(3), Err(IntroduceError::TooMany));
    introductions.reply(ids[0], name(0), &Reply::Accepted {}, now).unwrap();
    let mut last = 4;
    for target in 4..20 {
        let id = IntroductionId::random();
        if introductions.send(id, REQUESTER, name(target), now).is_err() {
            break;
        }
        introductions.reply(id, name(target), &Reply::Accepted {}, now).unwrap();
        last = target;
    }
    assert_eq!(introductions.known.len(), RULES.pending_max * REMEMBERED_PER_PENDING, "up to {last}");
}

#[test]
fn an_introduction_lives_from_its_last_sending() {
    let now = crate::clock::now();
    let mut introductions = Introductions::new(RULES);
    let id = IntroductionId::random();
    introductions.send(id, REQUESTER, name(9), now).unwrap();
    let again = now + Duration::from_secs(45);
    introductions.send(id, REQUESTER, name(9), again).unwrap();
    introductions.expire(now + RULES.lifetime);
    assert_eq!(introductions.reply(id, name(9), &queued(1), now + RULES.lifetime), Ok(Some(REQUESTER)));
    let end = again + RULES.lifetime;
    assert_eq!(introductions.reply(id, name(9), &Reply::Accepted {}, end), Err(IntroductionOver));
    introductions.expire(end);
    assert!(introductions.known.is_empty() && introductions.by_requester.is_empty());
}
