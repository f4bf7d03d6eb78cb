//! How often someone may do something: token buckets, by session or by address.
//!
//! The buckets are pure and bounded: a table that is full becomes the old one, and whoever is not seen until
//! the next is full as well is forgotten. Addresses are known by a hash whose key is replaced every hour.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{config::Limits, domain::sessions::SessionId, seal::AddressHasher};

/// The key under which addresses are hashed lives this long; with it, all that was counted is forgotten.
const ADDRESS_KEY_LIFETIME: Duration = Duration::from_hours(1);
/// Of an IPv6 address, the part that a provider gives to one customer.
const IPV6_NETWORK_BYTES: usize = 8;
const MINUTE: Duration = Duration::from_mins(1);

/// `burst` at once, then one every `interval`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) interval: Duration,
    pub(crate) burst: NonZeroU32,
}

impl Rate {
    fn per(period: Duration, count: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { interval: period / count.get(), burst }
    }
}

/// Token buckets, kept as the time at which each is full again: one that is full needs no memory of it.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    keys_max: usize,
    young: HashMap<K, Instant>,
    old: HashMap<K, Instant>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate, keys_max: usize) -> Self {
        Self { rate, keys_max, young: HashMap::new(), old: HashMap::new() }
    }

    /// Takes one, or tells how long to wait for it.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        let full_at = self.young.get(&key).or_else(|| self.old.get(&key)).copied().unwrap_or(now).max(now);
        let full_after = full_at + self.rate.interval;
        let room = self.rate.interval * self.rate.burst.get();
        if full_after > now + room {
            return Err(full_after - (now + room));
        }
        if self.young.len() >= self.keys_max && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, full_after);
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

/// All rates of the API. A plain mutex each: it is held for one look into a table.
pub(crate) struct Limiter {
    claims: Mutex<ByAddress>,
    handed_out: Mutex<ByAddress>,
    searches: Mutex<Buckets<SessionId>>,
    introductions: Mutex<Buckets<SessionId>>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let keys = limits.rate_keys;
        let second = Duration::from_secs(1);
        let claims = Rate::per(MINUTE, limits.claims_per_minute, limits.claims_per_minute);
        let handed_out = Rate::per(MINUTE, limits.handed_out_per_minute, limits.handed_out_per_minute);
        let searches = Rate::per(second, limits.searches_per_second, limits.searches_burst);
        let introductions = Rate::per(second, limits.introductions_per_second, limits.introductions_burst);
        Self {
            claims: Mutex::new(ByAddress::new(claims, keys, now)),
            handed_out: Mutex::new(ByAddress::new(handed_out, keys, now)),
            searches: Mutex::new(Buckets::new(searches, keys)),
            introductions: Mutex::new(Buckets::new(introductions, keys)),
        }
    }

    /// A name claim from an address.
    pub(crate) fn claim(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).take(address, now)
    }

    /// An introduction that hands an address out.
    pub(crate) fn hand_out(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).take(Some(address), now)
    }

    pub(crate) fn search(&self, session: SessionId, now: Instant) -> Result<(), Duration> {
        self.searches.lock().unwrap_or_else(PoisonError::into_inner).take(session, now)
    }

    pub(crate) fn introduction(&self, session: SessionId, now: Instant) -> Result<(), Duration> {
        self.introductions.lock().unwrap_or_else(PoisonError::into_inner).take(session, now)
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
