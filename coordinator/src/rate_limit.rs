//! How often someone may do something: token buckets, by session or by address.
//!
//! The buckets are pure and bounded: a table that is full becomes the old one, and whoever is not seen until
//! the next is full as well is forgotten. So is, soon, whoever does nothing for so long that the bucket is full again.
//! Addresses are known by a hash whose key is replaced every hour.

use std::{
    array,
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    config::Limits,
    domain::{
        bucket::{Bucket, Rate},
        sessions::{LineageHash, SessionId},
    },
    seal::AddressHasher,
};

/// The key under which addresses are hashed lives this long; with it, all that was counted is forgotten.
const ADDRESS_KEY_LIFETIME: Duration = Duration::from_hours(1);
/// How often those are forgotten of whom there is nothing to know.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);
/// Of an IPv6 address, the part that a provider gives to one customer.
const IPV6_NETWORK_BYTES: usize = 8;
/// More than workers, so that two of them seldom meet.
const PARTS: usize = 64;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A bucket a key: one that is full needs no memory of it.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate, keys_max: usize) -> Self {
        Self { rate, keys_max, young: HashMap::new(), old: HashMap::new() }
    }

    /// Takes one, or tells how long to wait for it.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if let Some(known) = self.young.get_mut(&key) {
            return known.take(self.rate, now);
        }
        let mut bucket = self.old.get(&key).copied().unwrap_or(Bucket::full(now));
        bucket.take(self.rate, now)?;
        if self.young.len() >= self.keys_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
        Ok(())
    }

    /// Forgets whose bucket is full.
    fn forget(&mut self, now: Instant) {
        for table in [&mut self.young, &mut self.old] {
            // Into a table of its own: the old one would keep what was taken out until the place is needed.
            *table = mem::take(table).into_iter().filter(|(_, bucket)| !bucket.is_full(now)).collect();
        }
    }
}

/// Buckets by address.
struct ByAddress {
    buckets: Buckets<[u8; 16]>,
    hasher: AddressHasher,
    hasher_until: Instant,
}

impl ByAddress {
    fn new(rate: Rate, keys_max: usize, now: Instant) -> Self {
        Self {
            buckets: Buckets::new(rate, keys_max),
            hasher: AddressHasher::random(),
            hasher_until: now + ADDRESS_KEY_LIFETIME,
        }
    }

    fn forget(&mut self, now: Instant) {
        if self.hasher_until <= now {
            *self = Self::new(self.buckets.rate, self.buckets.keys_max, now);
        }
        self.buckets.forget(now);
    }

    fn take(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let key = by_network(address, |network| self.hasher.hash(network));
        self.buckets.take(key, now)
    }
}

/// Looks at what of an address counts.
fn by_network<T>(address: Option<IpAddr>, look: impl FnOnce(&[u8]) -> T) -> T {
    match address {
        Some(IpAddr::V4(address)) => look(&address.octets()),
        Some(IpAddr::V6(address)) => look(&address.octets()[..IPV6_NETWORK_BYTES]),
        // Those whose address can't be observed share one bucket.
        None => look(&[]),
    }
}

/// The same in parts with a lock each, for what all workers do all the time. Which part an address is in, nobody can tell
/// from outside: who has many addresses could fill one part, and have it forget the others.
struct PartsByAddress {
    parts: [Mutex<ByAddress>; PARTS],
    hasher: RandomState,
}

impl PartsByAddress {
    fn new(rate: Rate, keys_max: usize, now: Instant) -> Self {
        let part = |_| Mutex::new(ByAddress::new(rate, keys_max.div_ceil(PARTS), now));
        Self { parts: array::from_fn(part), hasher: RandomState::new() }
    }

    fn take(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        // The remainder is less than the number of parts, so it fits.
        let part = by_network(address, |network| self.hasher.hash_one(network)) % PARTS as u64;
        lock(&self.parts[usize::try_from(part).unwrap_or(0)]).take(address, now)
    }

    fn each(&self, change: impl Fn(&mut ByAddress)) {
        self.parts.iter().for_each(|part| change(&mut lock(part)));
    }
}

/// The calls that a session makes again and again. Each counts for its session and for its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Search,
    /// Hands the address out: what counts for the address protects whoever has it.
    Introduction,
    /// An answer to a search, or the word on an introduction.
    Answer,
}

impl Act {
    const ALL: [Self; 3] = [Self::Search, Self::Introduction, Self::Answer];
}

/// What one session (or name), and one address, may do of one kind. A plain mutex each: it is held for one look into a
/// table.
struct Budget<K> {
    own: Mutex<Buckets<K>>,
    addresses: Mutex<ByAddress>,
}

impl<K: Copy + Eq + Hash> Budget<K> {
    fn new((own, address): (Rate, Rate), keys_max: usize, now: Instant) -> Self {
        Self {
            own: Mutex::new(Buckets::new(own, keys_max)),
            addresses: Mutex::new(ByAddress::new(address, keys_max, now)),
        }
    }

    fn take(&self, key: K, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        lock(&self.own).take(key, now)?;
        lock(&self.addresses).take(address, now)
    }

    fn forget(&self, now: Instant) {
        lock(&self.own).forget(now);
        lock(&self.addresses).forget(now);
    }

    fn change(&self, (own, address): (Rate, Rate)) {
        lock(&self.own).rate = own;
        lock(&self.addresses).buckets.rate = address;
    }
}

/// All rates of the API.
pub(crate) struct Limiter {
    claims: Mutex<ByAddress>,
    renewals: Budget<LineageHash>,
    searches: Budget<SessionId>,
    introductions: Budget<SessionId>,
    answers: Budget<SessionId>,
    /// The session's part is in its row, which a poll looks at anyway.
    polls: PartsByAddress,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let keys = limits.rate_keys;
        let budget = |act| Budget::new(rates(limits, act), keys, now);
        Self {
            claims: Mutex::new(ByAddress::new(claims(limits), keys, now)),
            renewals: Budget::new(renewals(limits), keys, now),
            searches: budget(Act::Search),
            introductions: budget(Act::Introduction),
            answers: budget(Act::Answer),
            polls: PartsByAddress::new(polls_an_address(limits), keys, now),
        }
    }

    /// Puts other rates in force; what was taken stays taken.
    pub(crate) fn change(&self, limits: &Limits) {
        lock(&self.claims).buckets.rate = claims(limits);
        self.renewals.change(renewals(limits));
        self.polls.each(|addresses| addresses.buckets.rate = polls_an_address(limits));
        for act in Act::ALL {
            self.budget(act).change(rates(limits, act));
        }
    }

    /// Forgets, now and then, until the token says stop: also in a quiet hour.
    pub(crate) async fn forget_until(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(FORGET_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.forget(clock::now());
        }
    }

    fn forget(&self, now: Instant) {
        lock(&self.claims).forget(now);
        self.polls.each(|addresses| addresses.forget(now));
        self.renewals.forget(now);
        for act in Act::ALL {
            self.budget(act).forget(now);
        }
    }

    /// A claim of a name without proof, from an address.
    pub(crate) fn claim(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        lock(&self.claims).take(address, now)
    }

    /// A claim by whoever held the name before. Also these are counted for the address: who once held many names would
    /// otherwise see whenever somebody else has one of them.
    pub(crate) fn renewal(
        &self,
        lineage: LineageHash,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Duration> {
        self.renewals.take(lineage, address, now)
    }

    /// A poll from an address, whosever it is.
    pub(crate) fn poll(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.polls.take(address, now)
    }

    pub(crate) fn act(
        &self,
        act: Act,
        session: SessionId,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Duration> {
        self.budget(act).take(session, address, now)
    }

    fn budget(&self, act: Act) -> &Budget<SessionId> {
        match act {
            Act::Search => &self.searches,
            Act::Introduction => &self.introductions,
            Act::Answer => &self.answers,
        }
    }
}

fn claims(limits: &Limits) -> Rate {
    Rate::per(MINUTE, limits.claims_per_minute, limits.claims_per_minute)
}

/// Of a name, and of an address.
fn renewals(limits: &Limits) -> (Rate, Rate) {
    let minute = |count| Rate::per(MINUTE, count, count);
    (minute(limits.renewals_per_minute), minute(limits.renewals_per_minute_an_address))
}

/// Of one session.
pub(crate) fn polls(limits: &Limits) -> Rate {
    Rate::per(SECOND, limits.polls_per_second, limits.polls_burst)
}

fn polls_an_address(limits: &Limits) -> Rate {
    Rate::per(SECOND, limits.polls_per_second_an_address, limits.polls_burst_an_address)
}

/// Of a session, and of an address.
fn rates(limits: &Limits, act: Act) -> (Rate, Rate) {
    let second = |count, burst| Rate::per(SECOND, count, burst);
    match act {
        Act::Search => (
            second(limits.searches_per_second, limits.searches_burst),
            second(limits.searches_per_second_an_address, limits.searches_burst_an_address),
        ),
        Act::Introduction => (
            second(limits.introductions_per_second, limits.introductions_burst),
            Rate::per(MINUTE, limits.handed_out_per_minute, limits.handed_out_per_minute),
        ),
        Act::Answer => (
            second(limits.answers_per_second, limits.answers_burst),
            second(limits.answers_per_second_an_address, limits.answers_burst_an_address),
        ),
    }
}

/// How long after the last time it is no longer known how often someone did something.
#[cfg(test)]
pub(crate) fn known_for(limits: &Limits) -> Duration {
    let pairs = Act::ALL.map(|act| rates(limits, act)).into_iter().chain([renewals(limits)]);
    let rates =
        pairs.flat_map(|(own, address)| [own, address]).chain([claims(limits), polls_an_address(limits)]);
    rates.map(|rate| rate.filling()).max().unwrap_or_default() + FORGET_INTERVAL
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
