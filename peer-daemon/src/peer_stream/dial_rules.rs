//! Which addresses are dialled, and how often: why a dial can't be turned against a bystander.
//!
//! An address comes from another peer by way of the coordinator, so it is foreign input. It is dialled only if
//! its scope is no narrower than the coordinator's as this daemon reaches it: a coordinator on the internet
//! can't point at the local network, one in the local network can, and one on this machine at anything.
//! `dial_allow` adds networks; it never opens what is not a place to dial at all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use protocol::limits::PORT_MIN;
use thiserror::Error;

/// How far an address reaches, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// This network segment (169.254/16, fe80::/10): also where clouds keep their metadata services.
    LinkLocal,
    /// A site: RFC 1918, 100.64/10, unique local IPv6.
    Private,
    Global,
}

impl Scope {
    /// `None` for what is no place to dial: multicast, unspecified, reserved, documentation, and forms in
    /// which another address hides that can't be told. Forms in which it can (IPv4-mapped, NAT64, 6to4) have
    /// its scope.
    pub fn of(address: IpAddr) -> Option<Self> {
        match effective(address)? {
            IpAddr::V4(v4) => scope_v4(v4),
            IpAddr::V6(v6) => scope_v6(v6),
        }
    }
}

/// The address that packets end up at: the one inside, where one is embedded. `None` where that can't be told.
fn effective(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return Some(address) };
    match v6.segments() {
        // IPv4-mapped (RFC 4291), NAT64's well-known prefix (RFC 6052), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()),
        // Local NAT64 (RFC 8215): where the IPv4 address sits depends on the network. IPv4-compatible and
        // IPv4-translated forms are long gone from the internet (RFC 4291, RFC 2765).
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => None,
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => None,
        _ => Some(address),
    }
}

fn scope_v4(address: Ipv4Addr) -> Option<Scope> {
    match address.octets() {
        [127, ..] => Some(Scope::Loopback),
        [169, 254, ..] => Some(Scope::LinkLocal),
        // RFC 1918, shared address space (RFC 6598), benchmarks (RFC 2544), which VPNs use inside.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => {
            Some(Scope::Private)
        }
        // This network, IETF assignments, documentation, 6to4 relays; multicast, reserved, broadcast.
        [0 | 224..=255, ..]
        | [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [192, 88, 99, _] => None,
        _ => Some(Scope::Global),
    }
}

fn scope_v6(address: Ipv6Addr) -> Option<Scope> {
    if address == Ipv6Addr::LOCALHOST {
        return Some(Scope::Loopback);
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => Some(Scope::LinkLocal),
        // Unique local (RFC 4193) and the site-local form before it.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some(Scope::Private),
        // IETF assignments (with Teredo, which embeds an address), documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => None,
        // The only space that is handed out for the internet.
        [0x2000..=0x3fff, ..] => Some(Scope::Global),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DialRefused {
    #[error("ports under {PORT_MIN} are never dialled")]
    Port,
    #[error("addresses of this kind are never dialled")]
    Never,
    #[error("the address is in a narrower network than the coordinator's; `dial_allow` can add it")]
    Narrower,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialRules {
    pub coordinator_scope: Scope,
    /// Networks that are dialled besides (`dial_allow`).
    pub allow: Vec<IpNet>,
}

impl DialRules {
    /// For a coordinator that this daemon reaches at `coordinator`.
    pub fn new(coordinator: IpAddr, allow: Vec<IpNet>) -> Self {
        // A coordinator at an address of no known scope earns the strictest rule.
        Self { coordinator_scope: Scope::of(coordinator).unwrap_or(Scope::Global), allow }
    }

    pub fn permits(&self, to: SocketAddr) -> Result<(), DialRefused> {
        if to.port() < PORT_MIN {
            return Err(DialRefused::Port);
        }
        let address = effective(to.ip()).ok_or(DialRefused::Never)?;
        let scope = Scope::of(address).ok_or(DialRefused::Never)?;
        if scope >= self.coordinator_scope || self.allow.iter().any(|network| network.contains(&address)) {
            Ok(())
        } else {
            Err(DialRefused::Narrower)
        }
    }
}

/// What limits and budgets count as one address: an IPv6 network (/64) is one, for its owner has all of it.
pub(super) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Dials an address and minute that ended without an established stream: a person's second try passes, and a
/// victim sees next to nothing of this peer.
pub const VAIN_DIALS_MAX: usize = 6;
/// The window that they are counted in.
pub const VAIN_DIALS_WINDOW: Duration = Duration::from_mins(1);
/// Addresses counted at a time. One upload and one download at a time, 5 s a dial, never come near it.
const ADDRESSES_MAX: usize = 1_024;

/// The address has had its dials for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the address was dialled too often in vain; the next dial is due in {} s", retry_after.as_secs())]
pub struct BudgetSpent {
    pub retry_after: Duration,
}

/// Counts dials that ended without an established stream, an address.
#[derive(Debug, Default)]
pub struct DialBudget {
    /// When the counted dials were made, oldest first.
    dials: HashMap<IpAddr, Vec<Instant>>,
}

/// One dial; it counts unless it is handed to [`DialBudget::forgive`].
#[derive(Debug)]
#[must_use = "a dial that led to a stream is forgiven"]
pub struct DialTicket {
    address: IpAddr,
    made: Instant,
}

impl DialBudget {
    /// Counts a dial that is about to be made.
    pub fn take(&mut self, to: IpAddr, now: Instant) -> Result<DialTicket, BudgetSpent> {
        let address = counted_as(to);
        let counts = |made: &Instant| now.saturating_duration_since(*made) < VAIN_DIALS_WINDOW;
        if self.dials.len() >= ADDRESSES_MAX && !self.dials.contains_key(&address) {
            self.dials.retain(|_, made| made.iter().any(counts));
            if self.dials.len() >= ADDRESSES_MAX {
                return Err(BudgetSpent { retry_after: VAIN_DIALS_WINDOW });
            }
        }
        let made = self.dials.entry(address).or_default();
        made.retain(counts);
        if let [oldest, ..] = made[..]
            && made.len() >= VAIN_DIALS_MAX
        {
            return Err(BudgetSpent { retry_after: (oldest + VAIN_DIALS_WINDOW).duration_since(now) });
        }
        made.push(now);
        Ok(DialTicket { address, made: now })
    }

    /// The dial led to an established stream and does not count.
    pub fn forgive(&mut self, ticket: &DialTicket) {
        let Some(made) = self.dials.get_mut(&ticket.address) else { return };
        if let Some(index) = made.iter().position(|made| *made == ticket.made) {
            made.remove(index);
        }
        if made.is_empty() {
            self.dials.remove(&ticket.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
        time::{Duration, Instant},
    };

    use proptest::prelude::*;

    use super::{DialBudget, DialRefused, DialRules, Scope, VAIN_DIALS_MAX, VAIN_DIALS_WINDOW, counted_as};
    use crate::clock;

    /// Pitfall 2: every kind of address with its scope.
    const ADDRESSES: &[(&str, Option<Scope>)] = &[
        ("127.0.0.1", Some(Scope::Loopback)),
        ("127.255.0.9", Some(Scope::Loopback)),
        ("::1", Some(Scope::Loopback)),
        ("::ffff:127.0.0.1", Some(Scope::Loopback)),
        ("64:ff9b::127.0.0.1", Some(Scope::Loopback)),
        ("2002:7f00:1::", Some(Scope::Loopback)),
        ("169.254.169.254", Some(Scope::LinkLocal)),
        ("::ffff:169.254.169.254", Some(Scope::LinkLocal)),
        ("fe80::1", Some(Scope::LinkLocal)),
        ("febf::1", Some(Scope::LinkLocal)),
        ("10.1.2.3", Some(Scope::Private)),
        ("172.16.0.1", Some(Scope::Private)),
        ("172.31.255.255", Some(Scope::Private)),
        ("192.168.1.1", Some(Scope::Private)),
        ("100.64.0.1", Some(Scope::Private)),
        ("100.127.255.255", Some(Scope::Private)),
        ("198.18.0.1", Some(Scope::Private)),
        ("::ffff:10.1.2.3", Some(Scope::Private)),
        ("64:ff9b::192.168.1.1", Some(Scope::Private)),
        ("2002:c0a8:101::1", Some(Scope::Private)),
        ("fd00::1", Some(Scope::Private)),
        ("fc00::1", Some(Scope::Private)),
        ("fec0::1", Some(Scope::Private)),
        ("8.8.8.8", Some(Scope::Global)),
        ("172.32.0.1", Some(Scope::Global)),
        ("100.128.0.1", Some(Scope::Global)),
        ("::ffff:8.8.8.8", Some(Scope::Global)),
        ("64:ff9b::8.8.8.8", Some(Scope::Global)),
        ("2002:808:808::1", Some(Scope::Global)),
        ("2606:4700::1111", Some(Scope::Global)),
        ("0.0.0.0", None),
        ("0.1.2.3", None),
        ("::", None),
        ("::ffff:0.0.0.0", None),
        ("224.0.0.1", None),
        ("239.255.255.250", None),
        ("255.255.255.255", None),
        ("240.0.0.1", None),
        ("::ffff:224.0.0.1", None),
        ("64:ff9b::255.255.255.255", None),
        ("2002:e000:1::", None),
        ("ff02::1", None),
        ("192.0.2.1", None),
        ("198.51.100.1", None),
        ("203.0.113.1", None),
        ("192.0.0.8", None),
        ("2001:db8::1", None),
        ("3fff::1", None),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", None),
        ("64:ff9b:1::7f00:1", None),
        ("::ffff:0:127.0.0.1", None),
        ("::127.0.0.1", None),
        ("100::1", None),
        ("4000::1", None),
    ];

    fn rules(coordinator_scope: Scope) -> DialRules {
        DialRules { coordinator_scope, allow: Vec::new() }
    }
    fn at(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 4821)
    }

    #[test]
    fn an_address_is_dialled_if_its_scope_is_no_narrower_than_the_coordinators() {
        for &(address, scope) in ADDRESSES {
            assert_eq!(Scope::of(address.parse().unwrap()), scope, "{address}");
            for coordinator in [Scope::Loopback, Scope::LinkLocal, Scope::Private, Scope::Global] {
                let expected = match scope {
                    None => Err(DialRefused::Never),
                    Some(scope) if scope < coordinator => Err(DialRefused::Narrower),
                    Some(_) => Ok(()),
                };
                assert_eq!(rules(coordinator).permits(at(address)), expected, "{address} {coordinator:?}");
            }
        }
    }

    #[test]
    fn the_allow_list_adds_a_network_and_opens_nothing_that_is_never_dialled() {
        let allow = |networks: &[&str]| DialRules {
            coordinator_scope: Scope::Global,
            allow: networks.iter().map(|network| network.parse().unwrap()).collect(),
        };
        let home = allow(&["192.168.1.0/24"]);
        assert_eq!(home.permits(at("192.168.1.7")), Ok(()));
        assert_eq!(home.permits(at("::ffff:192.168.1.7")), Ok(()));
        assert_eq!(home.permits(at("192.168.2.7")), Err(DialRefused::Narrower));
        let everything = allow(&["0.0.0.0/0", "::/0"]);
        assert_eq!(everything.permits(at("127.0.0.1")), Ok(()));
        for &(address, _) in ADDRESSES.iter().filter(|(_, scope)| scope.is_none()) {
            assert_eq!(everything.permits(at(address)), Err(DialRefused::Never), "{address}");
        }
        let all_of_ipv6 = allow(&["::/0"]);
        assert_eq!(all_of_ipv6.permits(at("::ffff:127.0.0.1")), Err(DialRefused::Narrower));
    }

    #[test]
    fn ports_of_services_are_never_dialled() {
        for port in [0, 22, 80, 443, 1023] {
            let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            assert_eq!(rules(Scope::Loopback).permits(to), Err(DialRefused::Port));
        }
        assert_eq!(rules(Scope::Loopback).permits((Ipv4Addr::LOCALHOST, 1024).into()), Ok(()));
    }

    #[test]
    fn a_coordinator_of_no_known_scope_earns_the_strictest_rule() {
        let rules = DialRules::new(Ipv4Addr::UNSPECIFIED.into(), Vec::new());
        assert_eq!(rules.coordinator_scope, Scope::Global);
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_address() {
        let (mut budget, now) = (DialBudget::default(), clock::now());
        for n in 0..u16::try_from(VAIN_DIALS_MAX).unwrap() {
            let address = Ipv6Addr::new(0x2606, 0x4700, 0, 0, n, 0, 0, 1);
            let _ = budget.take(address.into(), now).unwrap();
        }
        assert!(budget.take("2606:4700::9".parse().unwrap(), now).is_err());
        assert!(budget.take("2606:4700:0:1::9".parse().unwrap(), now).is_ok());
        assert_eq!(counted_as("::ffff:10.0.0.1".parse().unwrap()), IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn the_table_is_bounded_and_forgets() {
        let (mut budget, start) = (DialBudget::default(), clock::now());
        let address = |n: u32| IpAddr::from(Ipv4Addr::from_bits(0x0800_0000 + n));
        for n in 0..u32::try_from(super::ADDRESSES_MAX).unwrap() {
            let _ = budget.take(address(n), start).unwrap();
        }
        assert!(budget.take(address(99_999), start).is_err());
        assert!(budget.take(address(99_999), start + VAIN_DIALS_WINDOW).is_ok());
        assert_eq!(budget.dials.len(), 1);
    }

    proptest! {
        #[test]
        fn whoever_is_embedded_is_judged_as_itself(bits: u32, port: u16) {
            let plain = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = bits.to_be_bytes();
            let [high, low] = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            let forms = [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ];
            for coordinator in [Scope::Loopback, Scope::Private, Scope::Global] {
                let expected = rules(coordinator).permits((plain, port).into());
                for form in forms {
                    prop_assert_eq!(rules(coordinator).permits((form, port).into()), expected);
                }
            }
        }

        /// Against a model that keeps every dial: in no window of a minute do more than the maximum count.
        #[test]
        fn vain_dials_stay_within_the_budget(steps in prop::collection::vec((0u64..25, any::<bool>()), 1..80)) {
            let (mut budget, mut now) = (DialBudget::default(), clock::now());
            let address = IpAddr::from(Ipv4Addr::new(8, 8, 8, 8));
            let mut model: Vec<Instant> = Vec::new();
            for (seconds, established) in steps {
                now += Duration::from_secs(seconds);
                model.retain(|made| *made + VAIN_DIALS_WINDOW > now);
                match budget.take(address, now) {
                    Ok(ticket) => {
                        prop_assert!(model.len() < VAIN_DIALS_MAX);
                        if established { budget.forgive(&ticket) } else { model.push(now) }
                    }
                    Err(spent) => {
                        prop_assert_eq!(model.len(), VAIN_DIALS_MAX);
                        prop_assert_eq!(now + spent.retry_after, model[0] + VAIN_DIALS_WINDOW);
                    }
                }
            }
        }
    }
}
