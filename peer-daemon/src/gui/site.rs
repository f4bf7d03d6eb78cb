//! Under which addresses a browser may have the page: the loopback address that is bound, and hosts that the
//! configuration names, under which a reverse proxy serves it.
//!
//! On loopback nobody listens in, so plain HTTP does. A named host is reached over a network, so a page of it
//! counts only if it came over TLS: the proxy has to speak it.

use std::net::SocketAddr;

use crate::config::values::GuiHost;

#[derive(Debug, Clone)]
pub(super) struct Site {
    address: SocketAddr,
    hosts: Vec<GuiHost>,
}

impl Site {
    pub(super) fn new(address: SocketAddr, hosts: Vec<GuiHost>) -> Self {
        Self { address, hosts }
    }

    /// Where the server is, as bound.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The origin of the page under this host; none under a host that is not the page's. `localhost` and the
    /// bound address are two origins: a page of one has no business with the other.
    pub(super) fn origin(&self, host: &str) -> Option<String> {
        if self.hosts.iter().any(|named| named.as_str() == host) {
            return Some(format!("https://{host}"));
        }
        let is_bound =
            host == self.address.to_string() || host == format!("localhost:{}", self.address.port());
        // Bound to a network, the address itself is for the proxy alone.
        (is_bound && self.address.ip().is_loopback()).then(|| format!("http://{host}"))
    }

    /// Where a person finds it: where hosts are named, that is how.
    pub(super) fn url(&self) -> String {
        match self.hosts.first() {
            Some(host) => format!("https://{}/", host.as_str()),
            None => format!("http://{}/", self.address),
        }
    }
}
