use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;

const RATE: Rate = Rate { interval: Duration::from_millis(500), burst: NonZeroU32::new(3).unwrap() };

#[test]
fn a_burst_then_one_an_interval() {
    let now = crate::clock::now();
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
        let mut now = crate::clock::now();
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
        let now = crate::clock::now();
        let mut buckets = Buckets::new(RATE, 7);
        for key in keys {
            let _ = buckets.take(key, now);
            prop_assert!(buckets.young.len() <= 7 && buckets.old.len() <= 7);
        }
    }
}

#[test]
fn an_ipv6_network_counts_as_one_and_an_hour_forgets() {
    let now = crate::clock::now();
    let mut addresses = ByAddress::new(RATE, 10, now);
    let host = |low| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low)));
    for low in 0..3 {
        assert!(addresses.take(host(low), now).is_ok());
    }
    assert!(addresses.take(host(9), now).is_err());
    assert!(addresses.take(None, now).is_ok(), "the unknown ones have a bucket of their own");
    assert!(addresses.take(host(9), now + ADDRESS_KEY_LIFETIME).is_ok());
    assert_eq!(addresses.buckets.young.len(), 1);
}

#[test]
fn a_crowd_of_sessions_behind_one_address_has_one_budget() {
    let now = crate::clock::now();
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
fn no_address_can_run_a_tenth_of_all_searches() {
    let limits = Limits::default();
    let lifetimes = crate::config::Lifetimes::default();
    let seconds = (lifetimes.search + lifetimes.search_grace).as_secs_f64();
    let running = f64::from(limits.searches_per_second_an_address.get()) * seconds
        + f64::from(limits.searches_burst_an_address.get());
    let of_all = f64::from(u32::try_from(limits.searches).unwrap());
    assert!(running < of_all / 10.0, "{running}");
}
