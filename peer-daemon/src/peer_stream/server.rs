//! The target's side.

use std::sync::Arc;

use protocol::{CertificateSha256, FileId, IntroductionId, MessageKey};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::shelf::Shelf;
use crate::introductions::identity::Identity;

/// What one introduction entitles its requester to.
#[derive(Debug, Clone)]
pub struct Offer {
    pub id: IntroductionId,
    pub message_key: MessageKey,
    pub requester_certificate: CertificateSha256,
    pub files: Vec<FileId>,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Connected,
    /// The requester showed the pinned certificate: the address is its own.
    Verified,
    /// A file was asked for: the stream is in use, no deferral.
    Asked,
}

/// What the uploads list shows of a stream; shared between the stream and its readers.
#[derive(Debug, Default)]
pub struct ServeProgress {}

impl ServeProgress {
    pub fn phase(&self) -> Phase {
        todo!()
    }
    /// Waits until the stream has come that far; pends for ever when it ends before.
    pub async fn reached(&self, _phase: Phase) {
        todo!()
    }
    /// The file asked for last.
    pub fn current_file(&self) -> Option<FileId> {
        todo!()
    }
    /// File bytes handed to the stream, over all requests.
    pub fn bytes_sent(&self) -> u64 {
        todo!()
    }
}

/// Why a stream ended that had been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The requester closed it.
    Closed,
    /// No request or byte for too long.
    Idle,
    /// The token was cancelled.
    Stopped,
    /// The connection broke off, or the requester broke the protocol.
    Lost,
    /// A file changed while it was being sent.
    SourceChanged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    pub ended: Ended,
    /// `false`: the requester closed before it asked for a file, which is how it defers.
    pub asked: bool,
    pub bytes_sent: u64,
}

/// The stream was never verified.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("the address does not speak as a requester")]
    NotARequester,
    #[error("the address stayed silent")]
    Silent,
    #[error("the requester showed another certificate than the sealed one")]
    Pin,
    #[error("the TLS handshake failed")]
    Handshake,
    #[error("stopped")]
    Stopped,
}

/// Serves one introduction's files over a fresh byte stream, until it ends or the token is cancelled.
pub async fn serve<IO, S>(
    _io: IO,
    _identity: &Identity,
    _offer: Offer,
    _shelf: Arc<S>,
    _progress: Arc<ServeProgress>,
    _stop: CancellationToken,
) -> Result<Served, ServeError>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Shelf,
{
    todo!()
}
