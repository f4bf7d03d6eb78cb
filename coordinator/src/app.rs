//! What all handlers share.

use std::{
    net::IpAddr,
    sync::{Arc, Once},
    time::SystemTime,
};

use actix_web::{HttpRequest, dev::RequestHead, http::header::HeaderValue, web};
use arc_swap::{ArcSwap, Guard};
use protocol::Code;
use tokio_util::sync::CancellationToken;

use crate::{
    client_address::{FORWARDED_HEADER, SocketPeer},
    clock,
    config::Config,
    connection::Connection,
    error::ApiError,
    exchange::{Caller, SharedExchange},
    metrics::Metrics,
    rate_limit::{Act, Limiter},
    seal::{self, Keys},
    telemetry::Word,
};

pub(crate) struct App {
    /// In force until the next reload: a call reads it once.
    config: ArcSwap<Config>,
    /// Whether the operator was told that a header was passed over.
    pub(crate) told_of_passed_over: Once,
    pub(crate) keys: Keys,
    pub(crate) exchange: SharedExchange,
    pub(crate) limiter: Limiter,
    pub(crate) metrics: Metrics,
    /// Name tokens from before are proof that a peer held its name then.
    pub(crate) started: SystemTime,
    /// Cancelled when the server begins to end: parked polls are answered, new calls are not taken.
    pub(crate) draining: CancellationToken,
}

impl App {
    /// What the handlers of this call share.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Self, ApiError> {
        request.app_data::<web::Data<Self>>().map(web::Data::get_ref).ok_or(ApiError::new(Code::Internal))
    }

    pub(crate) fn new(config: Config, keys: Keys, exchange: SharedExchange) -> Self {
        Self {
            told_of_passed_over: Once::new(),
            keys,
            exchange,
            limiter: Limiter::new(&config.limits, clock::now()),
            metrics: Metrics::new(),
            started: seal::whole_seconds(clock::wall()),
            draining: CancellationToken::new(),
            config: ArcSwap::from_pointee(config),
        }
    }

    /// Not to be kept while a call waits.
    pub(crate) fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    pub(crate) fn replace_config(&self, config: Config) {
        self.config.store(Arc::new(config));
    }

    /// Refuses what a session, or all sessions of its address, do too often.
    pub(crate) fn within_budget(
        &self,
        act: Act,
        request: &HttpRequest,
        caller: Caller,
    ) -> Result<(), ApiError> {
        let address = client_address(request);
        self.limiter.act(act, caller.session, address, clock::now()).map_err(ApiError::rate_limited)
    }

    /// Reads the caller's address, or `None` when it can't be observed.
    pub(crate) fn observe(&self, head: &RequestHead, config: &Config) -> Option<IpAddr> {
        let peer = head.peer_addr.map_or(SocketPeer::Unix, |peer| SocketPeer::Tcp(peer.ip()));
        // `get_all` keeps the order of arrival, but runs forwards only.
        let values: Vec<&[u8]> =
            head.headers().get_all(FORWARDED_HEADER).map(HeaderValue::as_bytes).collect();
        let proxies = config.proxies();
        if proxies.passes_over(peer, &values) {
            self.told_of_passed_over.call_once(|| Word::HeaderPassedOver.say());
        }
        proxies.observe(peer, values.into_iter())
    }
}

/// The caller's address as it was observed when the call began.
pub(crate) fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    Connection::of(request).and_then(Connection::observed)
}
