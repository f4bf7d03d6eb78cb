//! What all handlers share.

use std::{net::IpAddr, sync::Once, time::SystemTime};

use actix_web::{HttpRequest, http::header::HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::{
    client_address::{FORWARDED_HEADER, ProxyRule, SocketPeer},
    config::Config,
    exchange::SharedExchange,
    rate_limit::Limiter,
    seal::Keys,
};

pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) proxies: ProxyRule,
    /// Whether the operator was told that a header was passed over.
    pub(crate) told_of_passed_over: Once,
    pub(crate) keys: Keys,
    pub(crate) exchange: SharedExchange,
    pub(crate) limiter: Limiter,
    /// Name tokens from before are proof that a peer held its name then.
    pub(crate) started: SystemTime,
    /// Cancelled when the server begins to end: parked polls are answered, new calls are not taken.
    pub(crate) draining: CancellationToken,
}

impl App {
    /// The caller's address as observed, or `None` when it can't be.
    pub(crate) fn client_address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr().map_or(SocketPeer::Unix, |peer| SocketPeer::Tcp(peer.ip()));
        // `get_all` keeps the order of arrival, but runs forwards only.
        let values: Vec<&[u8]> =
            request.headers().get_all(FORWARDED_HEADER).map(HeaderValue::as_bytes).collect();
        if self.proxies.passes_over(peer, &values) {
            self.told_of_passed_over.call_once(|| {
                tracing::warn!(
                    "X-Forwarded-For came from where no trusted proxy is, and counts for nothing: if a reverse \
                     proxy stands before the coordinator, name it with --trusted-proxy, or all peers have its \
                     address (told once)"
                );
            });
        }
        self.proxies.observe(peer, values.into_iter())
    }
}
