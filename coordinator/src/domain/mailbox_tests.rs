use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::*;

const LIMITS: MailboxLimits = MailboxLimits { events: 6, bytes: 240 };

/// What a peer and the coordinator may do to a mailbox.
#[derive(Debug, Clone)]
enum Step {
    Push {
        weight: Weight,
        size: usize,
        lives: u64,
    },
    /// Reads, and the response arrives.
    Read,
    /// Reads, and the response is lost.
    ReadInVain,
    /// Acknowledges the last response that arrived.
    Acknowledge,
    /// The sweep may be late.
    Pass {
        seconds: u64,
        is_swept: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let weight = prop_oneof![Just(Weight::Result), Just(Weight::Word)];
    prop_oneof![
        4 => (weight, 30_usize..80, 1_u64..20).prop_map(|(weight, size, lives)| Step::Push { weight, size, lives }),
        2 => Just(Step::Read),
        1 => Just(Step::ReadInVain),
        2 => Just(Step::Acknowledge),
        1 => (1_u64..8, any::<bool>()).prop_map(|(seconds, is_swept)| Step::Pass { seconds, is_swept }),
    ]
}

fn mail(number: usize, size: usize, weight: Weight, expires: Instant) -> Mail {
    Mail { json: format!("{number:>size$}").into(), weight, expires }
}

fn read(mailbox: &Mailbox, now: Instant, bytes: usize) -> (Vec<usize>, u64, u64) {
    let mut batch = BatchBuilder::new(bytes);
    let upto = mailbox.read(now, &mut batch);
    let (mut numbers, mut lost) = (Vec::new(), 0);
    for event in batch.finish() {
        match event.trim().parse() {
            Ok(number) => numbers.push(number),
            Err(_) => lost += lost_count(&event),
        }
    }
    (numbers, lost, upto)
}

fn lost_count(event: &str) -> u64 {
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["type"], "events_lost");
    event["count"].as_u64().unwrap()
}

proptest! {
    /// Against a model that remembers everything: what was pushed is read again and again until it is
    /// acknowledged, has expired or was told as lost; and what was acknowledged never comes again.
    #[test]
    fn nothing_is_lost_untold_and_nothing_acknowledged_comes_again(
        steps in prop::collection::vec(step(), 1..60),
        batch_bytes in 40_usize..400,
    ) {
        let mut now = crate::clock::now();
        let mut mailbox = Mailbox::new();
        let mut pushed: Vec<Instant> = Vec::new();
        let mut acknowledged = BTreeSet::new();
        let mut received: Option<(Vec<usize>, u64, u64)> = None;
        let mut told_lost = 0;
        for step in steps {
            match step {
                Step::Push { weight, size, lives } => {
                    let expires = now + Duration::from_secs(lives);
                    mailbox.push(mail(pushed.len(), size, weight, expires), &LIMITS);
                    pushed.push(expires);
                }
                Step::Read => received = Some(read(&mailbox, now, batch_bytes)),
                Step::ReadInVain => {
                    let first = read(&mailbox, now, batch_bytes);
                    prop_assert_eq!(first, read(&mailbox, now, batch_bytes));
                }
                Step::Acknowledge => {
                    if let Some((numbers, lost, upto)) = received.take() {
                        mailbox.acknowledge(upto);
                        acknowledged.extend(numbers);
                        told_lost += lost;
                    }
                }
                Step::Pass { seconds, is_swept } => {
                    now += Duration::from_secs(seconds);
                    if is_swept {
                        mailbox.expire(now);
                        let has_expired = |held: &Numbered| held.mail.expires <= now;
                        prop_assert!(!mailbox.held.iter().any(has_expired), "swept, and still held");
                    }
                }
            }
            let (held, lost, _) = read(&mailbox, now, usize::MAX);
            prop_assert!(held.is_sorted());
            prop_assert!(held.iter().all(|&number| !acknowledged.contains(&number) && pushed[number] > now));
            prop_assert_eq!(mailbox.bytes, mailbox.held.iter().map(|held| held.mail.json.len()).sum::<usize>());
            prop_assert!(mailbox.held.len() <= LIMITS.events && mailbox.bytes <= LIMITS.bytes);
            let missing = (0..pushed.len())
                .filter(|number| pushed[*number] > now && !acknowledged.contains(number))
                .filter(|number| !held.contains(number))
                .count() as u64;
            prop_assert!(missing <= lost + told_lost, "{missing} are gone, {lost} + {told_lost} told");
        }
    }

    #[test]
    fn an_empty_mailbox_owns_no_memory(count in 1_usize..6) {
        let now = crate::clock::now();
        let mut mailbox = Mailbox::new();
        for number in 0..count {
            mailbox.push(mail(number, 30, Weight::Word, now + Duration::from_secs(1)), &LIMITS);
        }
        mailbox.acknowledge(count as u64);
        prop_assert!(mailbox.is_empty());
        prop_assert_eq!((mailbox.held.capacity(), mailbox.bytes), (0, 0));
    }
}

#[test]
fn results_give_way_to_words_and_the_loss_is_told_until_acknowledged() {
    let now = crate::clock::now();
    let expires = now + Duration::from_mins(1);
    let mut mailbox = Mailbox::new();
    for number in 0..6 {
        let weight = if number == 0 { Weight::Word } else { Weight::Result };
        mailbox.push(mail(number, 30, weight, expires), &LIMITS);
    }
    mailbox.push(mail(6, 30, Weight::Result, expires), &LIMITS);
    assert_eq!(read(&mailbox, now, 1000).0, [0, 1, 2, 3, 4, 5], "a result displaces nothing");
    mailbox.push(mail(7, 30, Weight::Word, expires), &LIMITS);
    let (held, lost, upto) = read(&mailbox, now, 1000);
    assert_eq!((held.as_slice(), lost), (&[0, 1, 2, 3, 4, 7][..], 2));
    assert_eq!(read(&mailbox, now, 1000).1, 2, "it is told again while it is not acknowledged");
    mailbox.acknowledge(upto);
    assert!(mailbox.is_empty());
}

#[test]
fn a_mailbox_is_full_at_its_last_byte_and_a_loss_alone_is_to_be_read() {
    let now = crate::clock::now();
    let expires = now + Duration::from_mins(1);
    let mut mailbox = Mailbox::new();
    for number in 0..3 {
        mailbox.push(mail(number, 80, Weight::Result, expires), &LIMITS);
    }
    assert_eq!(read(&mailbox, now, 1000).0, [0, 1, 2], "three times 80 are 240");
    mailbox.push(mail(3, 1, Weight::Result, expires), &LIMITS);
    mailbox.acknowledge(3);
    assert!(!mailbox.is_empty());
    let (held, lost, _) = read(&mailbox, now, 1000);
    assert_eq!((held, lost), (vec![], 1));
    mailbox.expire(expires);
    assert!(mailbox.is_empty(), "it is told as long as what was lost would have been");
    mailbox.count_loss(expires);
    mailbox.acknowledge(mailbox.youngest());
    assert!(mailbox.is_empty());
}

#[test]
fn a_batch_is_cut_and_the_rest_comes_next() {
    let now = crate::clock::now();
    let mut mailbox = Mailbox::new();
    for number in 0..4 {
        mailbox.push(mail(number, 40, Weight::Word, now + Duration::from_mins(1)), &LIMITS);
    }
    let (first, _, upto) = read(&mailbox, now, 100);
    assert_eq!(first, [0, 1]);
    mailbox.acknowledge(upto);
    assert_eq!(read(&mailbox, now, 100).0, [2, 3]);
    let (large, _, _) = read(&mailbox, now, 1);
    assert_eq!(large, [2], "an event that exceeds a batch by itself does not block the others");
}
