//! The second way to a stream: where the target can't reach this peer, this peer dials the target.

use std::net::SocketAddr;

use protocol::{CertificateSha256, IntroductionId, limits::ROUTE_HOLD};
use thiserror::Error;
use tracing::debug;

use super::{Downloads, setback::DialTrouble, step::Way};
use crate::{
    dialler::DialFailed,
    peer_stream::{
        client::{Requester, StreamError},
        throttle::Throttled,
    },
};

#[derive(Debug, Error)]
enum NoStream {
    #[error(transparent)]
    Dial(#[from] DialFailed),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("no identity is in use")]
    NoIdentity,
    #[error("the message-key was not right")]
    Key,
}

/// Dials the target once, in the background; a stream goes to the introduction's owner, as a dial-back's does.
pub(super) fn dial_target(
    downloads: &Downloads,
    id: IntroductionId,
    endpoint: SocketAddr,
    certificate: CertificateSha256,
) {
    let (parts, downloads) = (&downloads.shared.parts, downloads.clone());
    let token = parts.token.clone();
    parts.tracker.spawn(async move {
        let dialled = tokio::time::timeout(ROUTE_HOLD, dial(&downloads, id, endpoint, certificate));
        let Some(dialled) = token.run_until_cancelled(dialled).await else { return };
        let how = match dialled {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                debug!(%error, "the target could not be dialled");
                DialTrouble::from(&error)
            }
            Err(_elapsed) => DialTrouble::TimedOut,
        };
        downloads.shared.pending.note_failed_dial(id, how);
    });
}

impl From<&NoStream> for DialTrouble {
    fn from(error: &NoStream) -> Self {
        match error {
            NoStream::Dial(error) => error.into(),
            NoStream::NoIdentity => Self::Unreachable,
            NoStream::Stream(_) | NoStream::Key => Self::NotTheSource,
        }
    }
}

async fn dial(
    downloads: &Downloads,
    id: IntroductionId,
    endpoint: SocketAddr,
    certificate: CertificateSha256,
) -> Result<(), NoStream> {
    let parts = &downloads.shared.parts;
    let (_, identity) = parts.identities.current().ok_or(NoStream::NoIdentity)?;
    let (stream, ticket) = parts.dialler.dial(endpoint).await?;
    let stream = Throttled::reading(stream, parts.throttle.clone());
    let mut requester =
        Requester::establish(parts.limits, stream, &identity, Some(certificate)).await?.naming(id);
    let proof = requester.proof().await?;
    downloads.shared.pending.settle(&proof, requester, Way::Dialled).map_err(|_| NoStream::Key)?;
    parts.dialler.established(&ticket);
    Ok(())
}
