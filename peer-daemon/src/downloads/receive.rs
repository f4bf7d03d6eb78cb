//! The download port: dial-backs come in here, and one whose message-key is right becomes a stream.

use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use super::{pending::PendingIntroductions, step::Way};
use crate::{
    introductions::keeper::IdentityKeeper,
    peer_stream::{
        client::{Requester, StreamError},
        gate::{ConnectionGate, VERIFICATION_LIMIT},
        limits::StreamLimits,
        listen::PortListener,
        throttle::{Throttle, Throttled},
    },
};

/// Tells dial-backs from strangers.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) pending: PendingIntroductions,
    pub(super) identities: IdentityKeeper,
    pub(super) throttle: Throttle,
    pub(super) limits: StreamLimits,
}

impl Receiver {
    /// Accepts dial-backs until the token is cancelled.
    pub(super) async fn accept(self, listener: PortListener, tracker: TaskTracker, token: CancellationToken) {
        let gate = ConnectionGate::default();
        loop {
            let (stream, from) = tokio::select! {
                accepted = listener.accept() => accepted,
                () = token.cancelled() => return,
            };
            // Dropped without a byte when nothing is pending, or too many are being verified.
            let Ok(permit) = gate.admit(from.ip(), self.pending.any_expected()) else { continue };
            let (receiver, token) = (self.clone(), token.clone());
            tracker.spawn(async move {
                let verified = permit.verify(VERIFICATION_LIMIT, receiver.verify(stream));
                tokio::select! {
                    result = verified => if result.is_err() {
                        receiver.pending.count_refusal();
                    },
                    () = token.cancelled() => {}
                }
            });
        }
    }

    /// Asks for nothing but the proof, and hands the stream on if it is right.
    async fn verify(&self, stream: TcpStream) {
        let Some((_, identity)) = self.identities.current() else { return };
        let stream = Throttled::reading(stream, self.throttle.clone());
        let shown = async {
            let mut requester = Requester::establish(self.limits, stream, &identity, None).await?;
            let proof = requester.proof().await?;
            Ok::<_, StreamError>((requester, proof))
        };
        match shown.await {
            Ok((requester, proof)) => {
                if self.pending.settle(&proof, requester, Way::DialBack).is_err() {
                    debug!("a dial-back was refused for its message-key");
                }
            }
            Err(error) => {
                self.pending.count_refusal();
                debug!(%error, "a dial-back did not show a message-key");
            }
        }
    }
}
