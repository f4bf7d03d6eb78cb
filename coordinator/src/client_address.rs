//! Which address a call comes from: the one observation that is handed on to other peers, so it must not be
//! something that a caller can choose.
//!
//! Without a trusted proxy it is the socket's peer, whatever the headers say. Behind one it is exactly the
//! `proxy_hops`-th entry from the right of `X-Forwarded-For`: what stands further left was written by the
//! caller. A proxy's own address never stands in for one that is missing.

use std::net::IpAddr;

use actix_web::http::header::{HeaderName, X_FORWARDED_FOR};

use crate::config::TrustedProxy;

/// The one header that is read.
pub(crate) const FORWARDED_HEADER: HeaderName = X_FORWARDED_FOR;

/// Who is at the other end of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketPeer {
    Tcp(IpAddr),
    Unix,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct ProxyRule<'t> {
    pub(crate) trusted: &'t [TrustedProxy],
    pub(crate) hops: usize,
}

impl ProxyRule<'_> {
    /// The caller's address, or `None` when it can't be observed. `forwarded` are the values of all
    /// `X-Forwarded-For` headers, in their order.
    pub(crate) fn observe<'a>(
        &self,
        peer: SocketPeer,
        forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Option<IpAddr> {
        if self.trusts(peer) {
            let entry =
                forwarded.rev().flat_map(|value| value.rsplit(|byte| *byte == b',')).nth(self.hops - 1)?;
            let address: IpAddr = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']).parse().ok()?;
            return Some(address.to_canonical());
        }
        match peer {
            SocketPeer::Tcp(address) => Some(address.to_canonical()),
            SocketPeer::Unix => None,
        }
    }

    /// Whether a header came that is not read: a stranger's invention, or a proxy that nobody named as trusted.
    pub(crate) fn passes_over(&self, peer: SocketPeer, forwarded: &[&[u8]]) -> bool {
        !forwarded.is_empty() && !self.trusts(peer)
    }

    fn trusts(&self, peer: SocketPeer) -> bool {
        self.trusted.iter().any(|trusted| match (trusted, peer) {
            (TrustedProxy::Network(network), SocketPeer::Tcp(address)) => {
                network.contains(&address.to_canonical())
            }
            (TrustedProxy::Unix, SocketPeer::Unix) => true,
            (TrustedProxy::Network(_), SocketPeer::Unix) | (TrustedProxy::Unix, SocketPeer::Tcp(_)) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::LazyLock};

    use proptest::prelude::*;

    use super::*;

    const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    static TRUSTED: LazyLock<[TrustedProxy; 1]> =
        LazyLock::new(|| [TrustedProxy::Network("10.0.0.0/8".parse().unwrap())]);

    fn rule(hops: usize) -> ProxyRule<'static> {
        ProxyRule { trusted: &*TRUSTED, hops }
    }

    fn observe(hops: usize, peer: SocketPeer, headers: &[&str]) -> Option<String> {
        let address = rule(hops).observe(peer, headers.iter().map(|header| header.as_bytes()));
        address.map(|address| address.to_string())
    }

    #[test]
    fn the_table() {
        let proxy = SocketPeer::Tcp(PROXY);
        let mapped_proxy = SocketPeer::Tcp("::ffff:10.0.0.1".parse().unwrap());
        let direct = SocketPeer::Tcp("192.0.2.7".parse().unwrap());
        let mapped = SocketPeer::Tcp("::ffff:192.0.2.7".parse().unwrap());
        let cases: &[(usize, SocketPeer, &[&str], Option<&str>)] = &[
            (1, direct, &[], Some("192.0.2.7")),
            (1, mapped, &[], Some("192.0.2.7")),
            (1, direct, &["198.51.100.1"], Some("192.0.2.7")),
            (1, proxy, &["198.51.100.1"], Some("198.51.100.1")),
            (1, mapped_proxy, &["198.51.100.1"], Some("198.51.100.1")),
            (1, proxy, &["203.0.113.66, 198.51.100.1"], Some("198.51.100.1")),
            (1, proxy, &["203.0.113.66", "198.51.100.1"], Some("198.51.100.1")),
            (2, proxy, &["203.0.113.66, 198.51.100.1, 10.0.0.2"], Some("198.51.100.1")),
            (2, proxy, &["203.0.113.66, 198.51.100.1", "10.0.0.2"], Some("198.51.100.1")),
            (1, proxy, &["::ffff:198.51.100.1"], Some("198.51.100.1")),
            (1, proxy, &["2001:db8::1"], Some("2001:db8::1")),
            // Whoever it names, also another proxy.
            (1, proxy, &["198.51.100.1, 10.0.0.2"], Some("10.0.0.2")),
            // Never the proxy's own address for one that is missing or malformed.
            (1, proxy, &[], None),
            (2, proxy, &["198.51.100.1"], None),
            (1, proxy, &[""], None),
            (1, proxy, &["198.51.100.1,"], None),
            (1, proxy, &["203.0.113.66, unknown"], None),
            (1, proxy, &["198.51.100.1:4821"], None),
            (1, proxy, &["victim.example"], None),
            (1, SocketPeer::Unix, &["198.51.100.1"], None),
        ];
        for (hops, peer, headers, expected) in cases {
            assert_eq!(observe(*hops, *peer, headers).as_deref(), *expected, "{hops} {peer:?} {headers:?}");
        }
    }

    #[test]
    fn a_header_from_where_no_proxy_is_trusted_is_noticed() {
        let header: &[u8] = b"198.51.100.1";
        let direct = SocketPeer::Tcp("192.0.2.7".parse().unwrap());
        assert!(rule(1).passes_over(direct, &[header]));
        assert!(rule(1).passes_over(SocketPeer::Unix, &[header]));
        assert!(!rule(1).passes_over(direct, &[]));
        assert!(!rule(1).passes_over(SocketPeer::Tcp(PROXY), &[header]));
    }

    #[test]
    fn a_unix_socket_counts_as_a_proxy_when_the_operator_says_so() {
        let rule = ProxyRule { trusted: &[TrustedProxy::Unix], hops: 1 };
        let headers = [&b"198.51.100.1"[..]];
        let observed = rule.observe(SocketPeer::Unix, headers.into_iter());
        assert_eq!(observed, Some("198.51.100.1".parse().unwrap()));
        assert_eq!(rule.observe(SocketPeer::Tcp(PROXY), headers.into_iter()), Some(PROXY));
    }

    proptest! {
        /// What the caller wrote stands to the left of what our proxies appended, however it is cut into
        /// headers, and never wins.
        #[test]
        fn a_spoofed_entry_never_wins(
            spoofed in prop::collection::vec("[ -~]{0,20}", 0..4),
            appended in prop::collection::vec(any::<IpAddr>(), 1..4),
            one_header in any::<bool>(),
        ) {
            let appended_text: Vec<String> = appended.iter().map(ToString::to_string).collect();
            let all: Vec<String> = spoofed.into_iter().chain(appended_text).collect();
            let headers = if one_header { vec![all.join(", ")] } else { all };
            let values = headers.iter().map(String::as_bytes);
            let observed = rule(appended.len()).observe(SocketPeer::Tcp(PROXY), values);
            prop_assert_eq!(observed, Some(appended[0].to_canonical()));
        }

        #[test]
        fn without_a_trusted_proxy_headers_count_for_nothing(
            header in prop::collection::vec(any::<u8>(), 0..40),
            last in any::<u8>(),
        ) {
            let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
            let observed = rule(1).observe(SocketPeer::Tcp(peer), [header.as_slice()].into_iter());
            prop_assert_eq!(observed, Some(peer));
        }

        #[test]
        fn no_bytes_upset_it(header in prop::collection::vec(any::<u8>(), 0..60), hops in 1_usize..4) {
            let _ = rule(hops).observe(SocketPeer::Tcp(PROXY), [header.as_slice()].into_iter());
        }
    }
}
