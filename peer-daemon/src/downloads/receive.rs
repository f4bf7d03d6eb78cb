//! The download port: dial-backs come in here, and one whose message-key is right becomes a stream.

use protocol::limits::DIAL_FIRST_BYTES;
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::pending::PendingIntroductions;
use crate::{
    introductions::keeper::IdentityKeeper,
    peer_stream::{
        client::Requester,
        listen::{ConnectionGate, PortListener},
    },
};

/// After an accept that failed (no file descriptor left, say), so that the loop does not spin.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Accepts dial-backs until the token is cancelled.
pub(crate) async fn receive_dial_backs(
    listener: PortListener,
    pending: PendingIntroductions,
    identities: IdentityKeeper,
    tracker: TaskTracker,
    token: CancellationToken,
) {
    let gate = ConnectionGate::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = token.cancelled() => return,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "the download port does not accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Dropped without a byte when nothing is pending, or too many are being verified.
        let Ok(permit) = gate.admit(from.ip(), pending.any_expected()) else { continue };
        let (pending, identities, token) = (pending.clone(), identities.clone(), token.clone());
        tracker.spawn(async move {
            let _permit = permit;
            let verified = tokio::time::timeout(DIAL_FIRST_BYTES, verify(stream, &pending, &identities));
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
async fn verify(stream: TcpStream, pending: &PendingIntroductions, identities: &IdentityKeeper) {
    let Some((_, identity)) = identities.current() else { return };
    let shown = async {
        let mut requester = Requester::establish(stream, &identity, None).await?;
        let proof = requester.proof().await?;
        Ok::<_, crate::peer_stream::client::StreamError>((requester, proof))
    };
    match shown.await {
        Ok((requester, proof)) => {
            if pending.settle(&proof, requester).is_err() {
                debug!("a dial-back was refused for its message-key");
            }
        }
        Err(error) => {
            pending.count_refusal();
            debug!(%error, "a dial-back did not show a message-key");
        }
    }
}
