//! The upload port: where a requester dials in that could not be dialled (`dial_me`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{net::TcpStream, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::peer_stream::{
    gate::{ConnectionGate, GatePermit, UNVERIFIED_MAX},
    listen::PortListener,
};

/// A connection that has not yet shown the pinned certificate.
pub(super) type Arrival = (TcpStream, GatePermit);

/// Passes connections on while one is expected; at any other time they are closed without a byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Reception {
    expecting: Arc<Mutex<Option<mpsc::Sender<Arrival>>>>,
}

impl Reception {
    /// Accepts until the token is cancelled.
    pub(super) async fn accept(self, listener: PortListener, token: CancellationToken) {
        let gate = ConnectionGate::default();
        loop {
            let (stream, from) = tokio::select! {
                accepted = listener.accept() => accepted,
                () = token.cancelled() => return,
            };
            let Some(expecting) = self.lock().clone() else { continue };
            if let Ok(permit) = gate.admit(from.ip(), true) {
                // As many fit as the gate admits; whoever expected one may have it by now.
                let _gone = expecting.try_send((stream, permit));
            }
        }
    }

    /// Expects a connection for as long as the receiver is held.
    pub(super) fn expect(&self) -> mpsc::Receiver<Arrival> {
        let (sender, arrivals) = mpsc::channel(UNVERIFIED_MAX);
        *self.lock() = Some(sender);
        arrivals
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::Sender<Arrival>>> {
        self.expecting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
