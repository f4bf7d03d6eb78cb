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
        listen::PortListener,
        throttle::{Throttle, Throttled},
    },
};

/// Accepts dial-backs until the token is cancelled.
pub(crate) async fn receive_dial_backs(
    listener: PortListener,
    pending: PendingIntroductions,
    identities: IdentityKeeper,
    throttle: Throttle,
    tracker: TaskTracker,
    token: CancellationToken,
) {
    let gate = ConnectionGate::default();
    loop {
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = token.cancelled() => return,
        };
        // Dropped without a byte when nothing is pending, or too many are being verified.
        let Ok(permit) = gate.admit(from.ip(), pending.any_expected()) else { continue };
        let (pending, identities, token) = (pending.clone(), identities.clone(), token.clone());
        let stream = Throttled::reading(stream, throttle.clone());
        tracker.spawn(async move {
            let verified = permit.verify(VERIFICATION_LIMIT, verify(stream, &pending, &identities));
            tokio::select! {
                result = verified => if result.is_err() {
                    pending.count_refusal();
                },
                () = token.cancelled() => {}
            }
        });
    }
}

/// Asks for nothing but the proof, and hands the stream on if it is right.
async fn verify(stream: Throttled<TcpStream>, pending: &PendingIntroductions, identities: &IdentityKeeper) {
    let Some((_, identity)) = identities.current() else { return };
    let shown = async {
        let mut requester = Requester::establish(stream, &identity, None).await?;
        let proof = requester.proof().await?;
        Ok::<_, StreamError>((requester, proof))
    };
    match shown.await {
        Ok((requester, proof)) => {
            if pending.settle(&proof, requester, Way::DialBack).is_err() {
                debug!("a dial-back was refused for its message-key");
            }
        }
        Err(error) => {
            pending.count_refusal();
            debug!(%error, "a dial-back did not show a message-key");
        }
    }
}
