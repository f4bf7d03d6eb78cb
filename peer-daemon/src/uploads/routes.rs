//! The two ways to a stream: the target dials back; where that fails, it asks to be dialled.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use protocol::limits::ROUTE_HOLD;
use thiserror::Error;
use tokio::time::Instant;
use tracing::debug;

use super::reception::Reception;
use crate::{
    clock,
    dialler::{DialFailed, Dialler},
    introductions::identity::Identity,
    library::Library,
    peer_stream::{
        limits::StreamLimits,
        progress::{Phase, ServeProgress},
        server::{Offer, ServeError, Served, Steering, serve},
    },
};

/// Why a way did not lead to a stream.
#[derive(Debug, Error)]
pub(super) enum NoStream {
    #[error("the requester can't be dialled: {0}")]
    NotDialled(#[from] DialFailed),
    #[error("the requester's address does not take the stream: {0}")]
    NotVerified(#[from] ServeError),
    #[error("nobody with the requester's certificate came within {} s", ROUTE_HOLD.as_secs())]
    TimedOut,
    #[error("stopped")]
    Stopped,
}

/// One introduction's stream, by whichever way.
pub(super) struct Route<'a> {
    pub(super) dialler: &'a Dialler,
    pub(super) library: &'a Library,
    pub(super) identity: &'a Identity,
    pub(super) offer: Offer,
    pub(super) limits: StreamLimits,
    pub(super) progress: &'a Arc<ServeProgress>,
    pub(super) steering: &'a Steering,
}

impl Route<'_> {
    /// Dials the requester and serves it. The hold bounds dial and handshake together.
    pub(super) async fn dial_back(&self, endpoint: SocketAddr) -> Result<Served, NoStream> {
        let (stream, ticket) = self.dialler.dial(endpoint).await?;
        let serving = self.serve(stream);
        tokio::pin!(serving);
        let verified = async {
            tokio::select! {
                ended = &mut serving => Some(ended),
                () = self.progress.reached(Phase::Verified) => None,
            }
        };
        let ended = match tokio::time::timeout(ROUTE_HOLD, verified).await {
            // So short a stream that its end was noticed first.
            Ok(ended) => ended,
            Err(_elapsed) if self.progress.phase() < Phase::Verified => return Err(NoStream::TimedOut),
            // It was verified in the last instant, and is the one.
            Err(_elapsed) => None,
        };
        let served = ended.transpose()?;
        self.dialler.established(&ticket);
        match served {
            Some(served) => Ok(served),
            None => Ok(serving.await?),
        }
    }

    /// Serves the first connection that shows the requester's certificate, and closes all others.
    pub(super) async fn be_dialled(&self, reception: &Reception) -> Result<Served, NoStream> {
        let mut arrivals = reception.expect();
        let mut candidates = FuturesUnordered::new();
        let deadline = Instant::from_std(clock::now() + ROUTE_HOLD);
        let mut is_verified = false;
        loop {
            tokio::select! {
                Some(ended) = candidates.next() => match ended {
                    Ok(served) => return Ok(served),
                    Err(reason) => debug!(%reason, "a connection to the upload port was closed"),
                },
                Some((stream, permit)) = arrivals.recv(), if !is_verified => candidates.push(async move {
                    let _permit = permit;
                    self.serve(stream).await
                }),
                () = self.progress.reached(Phase::Verified), if !is_verified => {
                    is_verified = true;
                    // Who comes now is turned away at the door, and who has just come in with them.
                    arrivals.close();
                    while arrivals.try_recv().is_ok() {
                        debug!(reason = %ServeError::Second, "a connection to the upload port was closed");
                    }
                }
                () = tokio::time::sleep_until(deadline), if !is_verified => return Err(NoStream::TimedOut),
                () = self.steering.stop.cancelled(), if !is_verified => return Err(NoStream::Stopped),
            }
        }
    }

    async fn serve(&self, stream: tokio::net::TcpStream) -> Result<Served, ServeError> {
        let library = Arc::new(self.library.clone());
        let progress = Arc::clone(self.progress);
        let (offer, steering) = (self.offer.clone(), self.steering.clone());
        serve(self.limits, stream, self.identity, offer, library, progress, steering).await
    }
}
