//! The target's side of a stream: it serves the files of one introduction, to the requester that sealed it.
//!
//! ```text
//!  connected ──ClientHello, pinned certificate──▶ verified ──GET a file──▶ asked ──▶ ended
//!      └── anything else, or not the first:          └── closed: the requester defers
//!          ServeError
//! ```

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::{CertificateSha256, IntroductionId, MessageKey};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    limits::{HEAD_BYTES_MAX, HEADERS_MAX, StreamLimits},
    offered::Offered,
    progress::{Phase, ServeProgress},
    responses::Answers,
    shelf::Shelf,
    stall_guard::StallGuard,
    throttle::{Throttle, Throttled},
    tls::{TlsError, start_as_target},
};
use crate::introductions::identity::Identity;

/// What one introduction entitles its requester to.
#[derive(Debug, Clone)]
pub struct Offer {
    pub id: IntroductionId,
    pub message_key: MessageKey,
    pub requester_certificate: CertificateSha256,
    pub files: Offered,
}

/// How a stream is steered from outside while it runs.
#[derive(Debug, Clone, Default)]
pub struct Steering {
    /// Ends it at once.
    pub stop: CancellationToken,
    /// Ends it with the response that is under way.
    pub wind_up: CancellationToken,
    /// How fast it may send.
    pub throttle: Throttle,
}

/// Why a stream ended that had been verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The requester closed it, or it was wound up.
    Closed,
    /// No request or byte for too long.
    Idle,
    /// The token was cancelled.
    Stopped,
    /// The connection broke off, or the requester broke the protocol.
    Lost,
    /// A file changed while it was being sent.
    SourceChanged,
    /// This peer's own disk did not answer.
    DiskSilent,
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
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("stopped before the requester was verified")]
    Stopped,
    #[error("the requester is served on another stream already")]
    Second,
}

/// Serves one introduction's files over a fresh byte stream, whoever dialled it, until it ends or is ended.
/// `identity` is the one that the seal was made for. Of the streams that share a `progress`, the first one whose
/// requester is verified is served, and no other.
pub async fn serve<IO, S>(
    limits: StreamLimits,
    io: IO,
    identity: &Identity,
    offer: Offer,
    shelf: Arc<S>,
    progress: Arc<ServeProgress>,
    steering: Steering,
) -> Result<Served, ServeError>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Shelf,
{
    let Steering { stop, wind_up, throttle } = steering;
    let io = StallGuard::new(io, limits.idle);
    let has_stalled = io.has_stalled();
    // Above the guard, which so never sees a wait that is our own as a stall.
    let io = Throttled::writing(io, throttle);
    let tls = tokio::select! {
        tls = start_as_target(io, identity, offer.requester_certificate, limits.handshake) => tls?,
        () = stop.cancelled() => return Err(ServeError::Stopped),
    };
    if !progress.is_first_verified() {
        return Err(ServeError::Second);
    }

    let readers = TaskTracker::new();
    let answers = Arc::new(Answers {
        offer,
        shelf: Arc::clone(&shelf),
        progress: Arc::clone(&progress),
        readers: readers.clone(),
        content: Mutex::default(),
    });
    let service = service_fn(move |request| {
        let answers = Arc::clone(&answers);
        async move { answers.answer(request).await }
    });
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .timer(TokioTimer::new())
        // For a head that trickles in; silence is up to the guard.
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(tls), service);
    let connected = async move {
        let mut connection = pin!(connection);
        tokio::select! {
            result = &mut connection => return result,
            () = wind_up.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    let ended = tokio::select! {
        result = connected => how_it_ended(result, &has_stalled, &progress),
        () = stop.cancelled() => Ended::Stopped,
    };
    // The connection is gone, and the bodies with it: readers end with their next chunk. One that does not waits for a
    // disk that does not answer, and nobody waits for that.
    readers.close();
    let is_read = tokio::time::timeout(limits.last_read, readers.wait()).await.is_ok();
    if !is_read {
        shelf.leave_readers();
    }
    let ended = if is_read { ended } else { Ended::DiskSilent };
    Ok(Served { ended, asked: progress.phase() >= Phase::Asked, bytes_sent: progress.bytes_sent() })
}

fn how_it_ended(result: hyper::Result<()>, has_stalled: &AtomicBool, progress: &ServeProgress) -> Ended {
    if progress.is_source_changed() {
        return Ended::SourceChanged;
    }
    if progress.is_disk_silent() {
        return Ended::DiskSilent;
    }
    // The HTTP library passes over errors between two requests, so the guard is asked first.
    if has_stalled.load(Ordering::Relaxed) {
        return Ended::Idle;
    }
    match result {
        Ok(()) => Ended::Closed,
        // The requester was gone before it could be told goodbye.
        Err(error) if error.is_shutdown() => Ended::Closed,
        Err(error) if error.is_timeout() => Ended::Idle,
        Err(_) => Ended::Lost,
    }
}
