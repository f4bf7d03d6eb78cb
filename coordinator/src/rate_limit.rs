//! How often someone may do something: token buckets, by session or by address.
//!
//! The buckets are pure and bounded: a table that is full becomes the old one, and whoever is not seen until
//! the next is full as well is forgotten. Addresses are known by a hash whose key is replaced every hour.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    config::Limits,
    domain::{
        bucket::{Bucket, Rate},
        sessions::{LineageHash, SessionId},
    },
    seal::AddressHasher,
};

/// The key under which addresses are hashed lives this long; with it, all that was counted is forgotten.
pub(crate) const ADDRESS_KEY_LIFETIME: Duration = Duration::from_hours(1);
/// Of an IPv6 address, the part that a provider gives to one customer.
const IPV6_NETWORK_BYTES: usize = 8;
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

    fn take(&mut self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        if self.hasher_until <= now {
            *self = Self::new(self.buckets.rate, self.buckets.keys_max, now);
        }
        let key = match address {
            Some(IpAddr::V4(address)) => self.hasher.hash(&address.octets()),
            Some(IpAddr::V6(address)) => self.hasher.hash(&address.octets()[..IPV6_NETWORK_BYTES]),
            // Those whose address can't be observed share one bucket.
            None => self.hasher.hash(&[]),
        };
        self.buckets.take(key, now)
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

/// What one session, and one address, may do of one kind. A plain mutex each: it is held for one look into a table.
struct Budget {
    sessions: Mutex<Buckets<SessionId>>,
    addresses: Mutex<ByAddress>,
}

impl Budget {
    fn new((session, address): (Rate, Rate), keys_max: usize, now: Instant) -> Self {
        Self {
            sessions: Mutex::new(Buckets::new(session, keys_max)),
            addresses: Mutex::new(ByAddress::new(address, keys_max, now)),
        }
    }

    fn take(&self, session: SessionId, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        lock(&self.sessions).take(session, now)?;
        lock(&self.addresses).take(address, now)
    }

    fn change(&self, (session, address): (Rate, Rate)) {
        lock(&self.sessions).rate = session;
        lock(&self.addresses).buckets.rate = address;
    }
}

/// All rates of the API.
pub(crate) struct Limiter {
    claims: Mutex<ByAddress>,
    renewals: Mutex<Buckets<LineageHash>>,
    searches: Budget,
    introductions: Budget,
    answers: Budget,
    /// The session's part is in its row, which a poll looks at anyway.
    polls: Mutex<ByAddress>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let keys = limits.rate_keys;
        let budget = |act| Budget::new(rates(limits, act), keys, now);
        Self {
            claims: Mutex::new(ByAddress::new(claims(limits), keys, now)),
            renewals: Mutex::new(Buckets::new(renewals(limits), keys)),
            searches: budget(Act::Search),
            introductions: budget(Act::Introduction),
            answers: budget(Act::Answer),
            polls: Mutex::new(ByAddress::new(polls_an_address(limits), keys, now)),
        }
    }

    /// Puts other rates in force; what was taken stays taken.
    pub(crate) fn change(&self, limits: &Limits) {
        lock(&self.claims).buckets.rate = claims(limits);
        lock(&self.renewals).rate = renewals(limits);
        lock(&self.polls).buckets.rate = polls_an_address(limits);
        for act in [Act::Search, Act::Introduction, Act::Answer] {
            self.budget(act).change(rates(limits, act));
        }
    }

    /// A claim of a name without proof, from an address.
    pub(crate) fn claim(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        lock(&self.claims).take(address, now)
    }

    /// A claim by whoever held the name before.
    pub(crate) fn renewal(&self, lineage: LineageHash, now: Instant) -> Result<(), Duration> {
        lock(&self.renewals).take(lineage, now)
    }

    /// A poll from an address, whosever it is.
    pub(crate) fn poll(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        lock(&self.polls).take(address, now)
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

    fn budget(&self, act: Act) -> &Budget {
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

fn renewals(limits: &Limits) -> Rate {
    Rate::per(MINUTE, limits.renewals_per_minute, limits.renewals_per_minute)
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
