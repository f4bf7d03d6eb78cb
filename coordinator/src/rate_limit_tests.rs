use std::{net::Ipv6Addr, num::NonZeroU32};

use proptest::prelude::*;

use super::*;

const RATE: Rate = Rate { interval: Duration::from_millis(500), burst: NonZeroU32::new(3).unwrap() };

#[test]
fn a_burst_then_one_an_interval() {
    let now = clock::now();
    let mut buckets = Buckets::new(RATE, 10);
    for _ in 0..3 {
        assert_eq!(buckets.take(1, now), Ok(()));
    }
    assert_eq!(buckets.take(1, now), Err(RATE.interval));
    assert_eq!(buckets.take(2, now), Ok(()), "each has a bucket of its own");
    let later = now + RATE.interval;
    assert_eq!(buckets.take(1, later), Ok(()));
    assert_eq!(buckets.take(1, later), Err(RATE.interval));
}

proptest! {
    /// Over any stretch, at most the burst and one an interval pass.
    #[test]
    fn no_stretch_lets_more_through(pauses in prop::collection::vec(0_u64..700, 1..80)) {
        let mut now = clock::now();
        let mut buckets = Buckets::new(RATE, 10);
        let mut passed: Vec<Instant> = Vec::new();
        for pause in pauses {
            now += Duration::from_millis(pause);
            match buckets.take(0, now) {
                Ok(()) => passed.push(now),
                Err(wait) => prop_assert!(buckets.take(0, now + wait).is_ok(), "the wait was told too short"),
            }
            if passed.last() != Some(&now) {
                // The probe above took one at a later time; count from here anew.
                buckets = Buckets::new(RATE, 10);
                passed.clear();
            }
            for (index, first) in passed.iter().enumerate() {
                let intervals = (now - *first).as_millis() / RATE.interval.as_millis();
                prop_assert!((passed.len() - index) as u128 <= u128::from(RATE.burst.get()) + intervals);
            }
        }
    }

    #[test]
    fn the_tables_are_bounded(keys in prop::collection::vec(any::<u16>(), 0..200)) {
        let now = clock::now();
        let mut buckets = Buckets::new(RATE, 7);
        for key in keys {
            let _ = buckets.take(key, now);
            prop_assert!(buckets.young.len() <= 7 && buckets.old.len() <= 7);
        }
    }
}

#[test]
fn who_was_seen_before_the_table_filled_up_is_still_counted() {
    let now = clock::now();
    let mut buckets = Buckets::new(RATE, 4);
    for _ in 0..3 {
        assert_eq!(buckets.take(0, now), Ok(()));
    }
    for other in 1..=4 {
        assert_eq!(buckets.take(other, now), Ok(()));
    }
    assert!(!buckets.young.contains_key(&0), "it is in the old table");
    assert_eq!(buckets.take(0, now), Err(RATE.interval));
}

#[test]
fn an_ipv6_network_counts_as_one_and_an_hour_forgets() {
    let now = clock::now();
    let mut addresses = ByAddress::new(RATE, 10, now);
    let host = |low| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low)));
    for low in 0..3 {
        assert!(addresses.take(host(low), now).is_ok());
    }
    assert!(addresses.take(host(9), now).is_err());
    assert!(addresses.take(None, now).is_ok(), "the unknown ones have a bucket of their own");
    let (key, later) = (addresses.hasher.hash(&[]), now + ADDRESS_KEY_LIFETIME);
    addresses.forget(now + ADDRESS_KEY_LIFETIME.saturating_sub(SECOND));
    assert_eq!(addresses.hasher.hash(&[]), key);
    addresses.forget(later);
    assert_ne!(addresses.hasher.hash(&[]), key, "also when nobody calls");
}

/// In every table, and as soon as it is told.
#[test]
fn who_does_nothing_is_forgotten() {
    let now = clock::now();
    let limits = Limits::default();
    let limiter = Limiter::new(&limits, now);
    let (address, session) = (Some(IpAddr::from([192, 0, 2, 1])), SessionId([1; 16]));
    limiter.claim(address, now).unwrap();
    limiter.renewal(LineageHash([1; 16]), address, now).unwrap();
    limiter.poll(address, now).unwrap();
    for act in Act::ALL {
        while limiter.act(act, session, address, now).is_ok() {}
    }
    let known = || {
        let of = |addresses: &Mutex<ByAddress>| lock(addresses).buckets.young.len();
        let acts = Act::ALL.map(|act| limiter.budget(act));
        let sessions = acts.iter().map(|act| lock(&act.own).young.len()).sum::<usize>();
        let addresses = acts.iter().map(|act| of(&act.addresses)).sum::<usize>();
        let renewals = lock(&limiter.renewals.own).young.len() + of(&limiter.renewals.addresses);
        let polls = limiter.polls.parts.iter().map(of).sum::<usize>();
        (of(&limiter.claims) + polls, renewals, sessions, addresses)
    };
    assert_eq!(known(), (2, 2, 3, 3));
    limiter.forget(now);
    assert_eq!(known(), (2, 2, 3, 3), "who did something just now is known");
    assert!(limiter.act(Act::Search, session, address, now).is_err());
    limiter.forget(now + known_for(&limits).saturating_sub(FORGET_INTERVAL));
    assert_eq!(known(), (0, 0, 0, 0));
}

#[test]
fn forgetting_lets_nobody_do_more() {
    let now = clock::now();
    let mut buckets = Buckets::new(RATE, 10);
    while buckets.take(1, now).is_ok() {}
    let almost = now + RATE.filling().saturating_sub(Duration::from_millis(1));
    buckets.forget(almost);
    assert_eq!((0..9).filter(|_| buckets.take(1, almost).is_ok()).count(), 2);
    buckets.forget(almost + RATE.filling());
    assert!(buckets.young.is_empty());
}

#[test]
fn who_once_held_many_names_can_not_ask_for_all_of_them_on_and_on() {
    let now = clock::now();
    let limits = Limits {
        renewals_per_minute: NonZeroU32::new(2).unwrap(),
        renewals_per_minute_an_address: NonZeroU32::new(5).unwrap(),
        ..Limits::default()
    };
    let limiter = Limiter::new(&limits, now);
    let address = |last| Some(IpAddr::from([192, 0, 2, last]));
    let renewal = |name: u8, last| limiter.renewal(LineageHash([name; 16]), address(last), now).is_ok();
    assert_eq!((0..20).filter(|name| renewal(*name, 1)).count(), 5);
    assert!(renewal(30, 2), "another address has its own");
}

#[test]
fn a_crowd_of_sessions_behind_one_address_has_one_budget() {
    let now = clock::now();
    let limits = Limits {
        searches_burst_an_address: NonZeroU32::new(7).unwrap(),
        searches_per_second_an_address: NonZeroU32::MIN,
        ..Limits::default()
    };
    let limiter = Limiter::new(&limits, now);
    let address = |last| Some(IpAddr::from([192, 0, 2, last]));
    let search =
        |session: u8, last| limiter.act(Act::Search, SessionId([session; 16]), address(last), now).is_ok();
    assert_eq!((0..20).filter(|session| search(*session, 1)).count(), 7);
    assert!(search(99, 2), "another address has its own");
    limiter.change(&Limits { searches_burst_an_address: NonZeroU32::new(9).unwrap(), ..limits });
    assert_eq!((20..40).filter(|session| search(*session, 1)).count(), 2);
}

#[test]
fn a_session_has_one_budget_wherever_it_calls_from() {
    let now = clock::now();
    let limits = Limits { answers_burst: NonZeroU32::new(3).unwrap(), ..Limits::default() };
    let limiter = Limiter::new(&limits, now);
    let passed = (0..20).filter(|last| {
        let address = Some(IpAddr::from([192, 0, 2, *last]));
        limiter.act(Act::Answer, SessionId([1; 16]), address, now).is_ok()
    });
    assert_eq!(passed.count(), 3);
}

#[test]
fn an_address_is_handed_out_so_often_in_a_minute() {
    let now = clock::now();
    let limits = Limits { handed_out_per_minute: NonZeroU32::new(2).unwrap(), ..Limits::default() };
    let limiter = Limiter::new(&limits, now);
    let address = Some(IpAddr::from([192, 0, 2, 1]));
    let handed_out =
        |session: u8, now| limiter.act(Act::Introduction, SessionId([session; 16]), address, now).is_ok();
    assert_eq!((0..5).filter(|session| handed_out(*session, now)).count(), 2);
    assert!(!handed_out(6, now + Duration::from_secs(29)) && handed_out(7, now + Duration::from_secs(30)));
}

#[test]
fn other_limits_of_claims_are_in_force_once_they_are_changed() {
    let now = clock::now();
    let of = |count| {
        let count = NonZeroU32::new(count).unwrap();
        Limits { claims_per_minute: count, renewals_per_minute: count, ..Limits::default() }
    };
    let limiter = Limiter::new(&of(2), now);
    let claims = || (0..20).filter(|_| limiter.claim(None, now).is_ok()).count();
    let renewals = || (0..20).filter(|_| limiter.renewal(LineageHash([1; 16]), None, now).is_ok()).count();
    assert_eq!((claims(), renewals()), (2, 2));
    limiter.change(&of(10));
    let later = now + MINUTE;
    assert_eq!((0..20).filter(|_| limiter.claim(None, later).is_ok()).count(), 10);
    assert_eq!((0..20).filter(|_| limiter.renewal(LineageHash([1; 16]), None, later).is_ok()).count(), 10);
}

#[test]
fn no_address_can_run_a_tenth_of_all_searches() {
    let limits = Limits::default();
    let lifetimes = crate::config::Lifetimes::default();
    let seconds = (lifetimes.search + lifetimes.search_grace).as_secs_f64();
    let running = f64::from(limits.searches_per_second_an_address.get()) * seconds
        + f64::from(limits.searches_burst_an_address.get());
    let of_all = f64::from(u32::try_from(limits.searches).unwrap());
    assert!(running < of_all / 10.0, "{running}");
}
