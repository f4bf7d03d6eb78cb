//! The requester's side of a stream: it asks for the proof first, and for files only then.
//!
//! Everything that comes is foreign: a response counts only if it says exactly what was asked for, and its body
//! must have exactly that length. What the bytes are is not known here; pieces are verified by whoever writes
//! them.

use std::{error::Error as _, io, ops::Range, time::Duration};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, HeaderName, IF_RANGE, RANGE},
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use protocol::{
    CertificateSha256, Code, FileId, IntroductionId, Problem,
    byte_range::ByteRange,
    introduction::IntroductionProof,
    paths::{INTRODUCTION_HEADER, peer},
    root::PieceLayer,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{
    haste::{Haste, RESPONSE_BYTES},
    limits::{HEAD_BYTES_MAX, HEADERS_MAX, JSON_BYTES_MAX, StreamLimits},
    tls::{TlsError, start_as_requester, tls_cause},
};
use crate::{clock, introductions::identity::Identity};

/// HTTP/1.1 wants a `Host`, and peers have no names.
const NO_HOST: &str = "peer.hearsay.invalid";

#[derive(Debug, Error)]
pub enum StreamError {
    #[error("the TLS handshake failed")]
    Handshake(#[source] TlsError),
    #[error("the target showed another certificate than the one it named")]
    Pin,
    /// The target accepts another certificate than this peer's: the introduction was not for this one.
    #[error("the target does not accept this peer's certificate")]
    NotAccepted,
    /// The target closed it in due form, between two responses.
    #[error("the target ended the stream")]
    Ended,
    #[error("the stream broke off")]
    Lost,
    #[error("nothing came for {} s", after.as_secs())]
    Idle { after: Duration },
    #[error("too little came while others wait")]
    Slow,
    #[error("the target refused: {} ({status})", code.title())]
    Refused { status: u16, code: Code },
    #[error("the target broke the protocol: {0}")]
    Protocol(&'static str),
}

impl From<TlsError> for StreamError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Pin => Self::Pin,
            other => Self::Handshake(other),
        }
    }
}

impl From<hyper::Error> for StreamError {
    fn from(error: hyper::Error) -> Self {
        let first: Option<&dyn std::error::Error> = error.source();
        let mut causes = std::iter::successors(first, |cause| (*cause).source());
        let io_error = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
        match io_error.and_then(tls_cause) {
            // After its handshake a target has one thing to object to.
            Some(rustls::Error::AlertReceived(_)) => Self::NotAccepted,
            _ if error.is_parse() => Self::Protocol("the response can't be read"),
            _ => Self::Lost,
        }
    }
}

/// A stream on which files can be asked for, one request at a time.
#[derive(Debug)]
pub struct Requester {
    send: http1::SendRequest<Empty<Bytes>>,
    /// Moves the bytes; ends with the requester.
    connection: AbortOnDropHandle<hyper::Result<()>>,
    target_certificate: CertificateSha256,
    introduction: Option<IntroductionId>,
    limits: StreamLimits,
    haste: Option<Haste>,
}

impl Requester {
    /// Starts TLS and HTTP on a fresh byte stream, whoever dialled it. `expected_target` is the certificate that
    /// the target named in its answer. A target that does not accept this peer's certificate shows that at
    /// the first request.
    pub async fn establish<IO>(
        limits: StreamLimits,
        io: IO,
        identity: &Identity,
        expected_target: Option<CertificateSha256>,
    ) -> Result<Self, StreamError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (tls, target_certificate) =
            start_as_requester(io, identity, expected_target, limits.handshake).await?;
        let (send, connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .handshake(TokioIo::new(tls))
            .await?;
        let connection = AbortOnDropHandle::new(TaskTracker::new().spawn(connection));
        Ok(Self { send, connection, target_certificate, introduction: None, limits, haste: None })
    }

    /// On a stream that the requester dialled (`dial_me`): the proof is asked for by name.
    #[must_use]
    pub fn naming(mut self, id: IntroductionId) -> Self {
        self.introduction = Some(id);
        self
    }

    /// From now on, files that come too slowly make way.
    pub fn hasten(&mut self, haste: Haste) {
        self.haste = Some(haste);
    }

    /// The certificate that the target showed, and has the key of.
    pub fn target_certificate(&self) -> CertificateSha256 {
        self.target_certificate
    }

    /// The target's word on which introduction this is. The caller compares the key (which is done in constant
    /// time) and closes the stream where it is another.
    pub async fn proof(&mut self) -> Result<IntroductionProof, StreamError> {
        let mut request = get(peer::INTRODUCTION.to_owned());
        if let Some(id) = self.introduction {
            request = request.header(INTRODUCTION_HEADER, id.to_string());
        }
        let limit = self.limits.proof;
        let json = within(limit, async {
            let response = self.ask(request).await?;
            if response.status() != StatusCode::OK {
                return Err(refusal(response).await);
            }
            collect(response, JSON_BYTES_MAX).await
        })
        .await?;
        serde_json::from_slice(&json).map_err(|_| StreamError::Protocol("the proof can't be read"))
    }

    /// The hashes of a file's pieces, verified against its root. Nothing is asked for a file of one piece or
    /// none.
    pub async fn piece_layer(&mut self, file: &FileId) -> Result<PieceLayer, StreamError> {
        let wanted = PieceLayer::byte_count(file);
        let bytes = if wanted == 0 {
            Bytes::new()
        } else {
            let request = get(format!("{}/pieces", file_path(file)));
            let (limit, idle) = (self.limits.piece_layer, self.limits.idle);
            within(limit, async {
                // A target that sends nothing at all need not be waited for as one that is slow.
                let response = within(idle, self.ask(request)).await?;
                if response.status() != StatusCode::OK {
                    return Err(refusal(response).await);
                }
                check_length(response.headers(), wanted)?;
                collect(response, usize::try_from(wanted).unwrap_or(usize::MAX)).await
            })
            .await?
        };
        self.must_not_dribble(wanted)?;
        PieceLayer::verify(file, &bytes)
            .map_err(|_| StreamError::Protocol("the piece layer does not lead to the root"))
    }

    /// Asks for a range of a file (of an empty file: for the whole) and checks the head of the response. A body
    /// that is not read to its end is the end of the stream.
    pub async fn fetch(&mut self, file: &FileId, range: Range<u64>) -> Result<FileBody<'_>, StreamError> {
        self.fetch_part(file_path(file), file, file.size, range).await
    }

    /// The same for files of a folder, all of whose files together have `size` bytes.
    pub async fn fetch_run(
        &mut self,
        folder: &FileId,
        size: u64,
        range: Range<u64>,
    ) -> Result<FileBody<'_>, StreamError> {
        self.fetch_part(format!("{}/content", file_path(folder)), folder, size, range).await
    }

    async fn fetch_part(
        &mut self,
        path: String,
        id: &FileId,
        size: u64,
        range: Range<u64>,
    ) -> Result<FileBody<'_>, StreamError> {
        let part = ByteRange::from_exclusive(range.clone());
        if range.end > size || (part.is_none() && size > 0) {
            return Err(StreamError::Protocol("a range outside the file was asked for"));
        }
        let tag = format!("\"{}\"", id.root);
        let mut request = get(path);
        if let Some(part) = part {
            request = request.header(RANGE, part.to_range_header()).header(IF_RANGE, &tag);
        }
        let idle = self.limits.idle;
        let response = within(idle, async {
            let response = self.ask(request).await?;
            if matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
                Ok(response)
            } else {
                Err(refusal(response).await)
            }
        })
        .await?;
        check_file_head(&response, size, &range, &tag)?;
        let remaining = range.end - range.start;
        Ok(FileBody { requester: self, body: response.into_body(), remaining, idle })
    }

    /// Says goodbye, so that the target hears of the end at once and knows it for one that was meant.
    pub async fn close(self) {
        let Self { send, connection, limits, .. } = self;
        drop(send);
        // A target that does not read any more is left alone.
        let _ = timeout(limits.proof, connection).await;
    }

    async fn ask(&mut self, request: Builder) -> Result<Response<Incoming>, StreamError> {
        let request = request
            .header(HOST, NO_HOST)
            .body(Empty::new())
            .map_err(|_| StreamError::Protocol("the request can't be written"))?;
        let response = match self.send.ready().await {
            Ok(()) => self.send.send_request(request).await,
            Err(error) => Err(error),
        };
        match response {
            Ok(response) => {
                let is_refusal = !response.status().is_success();
                self.must_not_dribble(if is_refusal { 0 } else { RESPONSE_BYTES })?;
                Ok(response)
            }
            Err(error) => Err(self.why_lost(error).await),
        }
    }

    /// So much of a file came. An error where that was too little for too long.
    fn must_not_dribble(&mut self, brought: u64) -> Result<(), StreamError> {
        let is_over = self.haste.as_mut().is_some_and(|haste| haste.is_over(clock::now(), brought));
        if is_over { Err(StreamError::Slow) } else { Ok(()) }
    }

    /// A request that came too late tells only that the connection was gone; the connection tells why.
    async fn why_lost(&mut self, error: hyper::Error) -> StreamError {
        // TLS tells a goodbye from a connection that breaks off; the latter has an error of the socket's.
        if error.is_incomplete_message() {
            return StreamError::Ended;
        }
        if !error.is_closed() && !error.is_canceled() {
            return error.into();
        }
        match (&mut self.connection).await {
            Ok(Ok(())) => StreamError::Ended,
            // It was gone before it heard this side's goodbye.
            Ok(Err(cause)) if cause.is_shutdown() => StreamError::Ended,
            Ok(Err(cause)) => cause.into(),
            Err(_) => error.into(),
        }
    }
}

/// The bytes of one range, no more and no fewer.
#[derive(Debug)]
pub struct FileBody<'a> {
    /// One request at a time: the stream is borrowed until its body is done with.
    requester: &'a mut Requester,
    body: Incoming,
    remaining: u64,
    idle: Duration,
}

impl FileBody<'_> {
    /// The next bytes, as they come; `None` once the whole range has.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            let after = self.idle;
            let frame = timeout(after, self.body.frame()).await.map_err(|_| StreamError::Idle { after })?;
            let Some(frame) = frame.transpose()? else {
                return if self.remaining == 0 { Ok(None) } else { Err(StreamError::Lost) };
            };
            // Trailers say nothing here.
            let Ok(bytes) = frame.into_data() else { continue };
            self.requester.must_not_dribble(bytes.len() as u64)?;
            self.remaining = self
                .remaining
                .checked_sub(bytes.len() as u64)
                .ok_or(StreamError::Protocol("the body is longer than its range"))?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}

fn get(path: String) -> Builder {
    Request::get(path)
}

fn file_path(file: &FileId) -> String {
    format!("{}/{}/{}", peer::FILES, file.root, file.size)
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StreamError>>,
) -> Result<T, StreamError> {
    timeout(limit, work).await.map_err(|_| StreamError::Idle { after: limit })?
}

/// The whole of a small body.
async fn collect(response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, StreamError> {
    match Limited::new(response.into_body(), bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(match error.downcast::<hyper::Error>() {
            Ok(error) => StreamError::from(*error),
            Err(_) => StreamError::Protocol("the body is longer than it may be"),
        }),
    }
}

/// What a response that is no success means. The code counts only if it can be read and goes with the status.
async fn refusal(response: Response<Incoming>) -> StreamError {
    let status = response.status().as_u16();
    let body = match collect(response, JSON_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let code = serde_json::from_slice::<Problem>(&body).map_or(Code::Unknown, |problem| problem.code);
    StreamError::Refused { status, code }
}

/// A header's value, where it comes exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

/// The length must be told beforehand, and the bytes must come as they are.
fn check_length(headers: &HeaderMap, wanted: u64) -> Result<(), StreamError> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(StreamError::Protocol("the body is encoded"));
    }
    let length = single(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if length == Some(wanted) { Ok(()) } else { Err(StreamError::Protocol("Content-Length is another")) }
}

/// Before a byte counts: the very range, of a file of the very size, under the very root.
fn check_file_head(
    response: &Response<Incoming>,
    size: u64,
    range: &Range<u64>,
    tag: &str,
) -> Result<(), StreamError> {
    let headers = response.headers();
    if single(headers, &ETAG) != Some(tag) {
        return Err(StreamError::Protocol("ETag is not the root"));
    }
    if response.status() == StatusCode::PARTIAL_CONTENT {
        let told = single(headers, &CONTENT_RANGE).and_then(ByteRange::parse_content_range);
        if told.map(|(part, size)| (part.exclusive(), size)) != Some((range.clone(), size)) {
            return Err(StreamError::Protocol("Content-Range is another"));
        }
    } else if *range != (0..size) || headers.contains_key(CONTENT_RANGE) {
        return Err(StreamError::Protocol("the whole file came instead of a range"));
    }
    check_length(headers, range.end - range.start)
}
