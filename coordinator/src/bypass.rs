//! Content goes past the HTTP library, not through it.
//!
//! The library keeps the bytes of the last answers in a connection's write buffer, until others take their place or
//! the connection ends; and a peer polls over one connection for as long as it is there. So the body of an answer
//! with events is not given to it: its head goes through that buffer with one byte in the body's place, and where
//! this byte comes by on its way to the socket, the body is written instead, and dropped.
//!
//! ```text
//!   handler ──head, slot──▶ HTTP library's write buffer ──head, slot──▶ stream ──head, content──▶ socket
//!      └────────content────▶ outbox ─────────────────────────────────────▲
//! ```

use std::{
    cell::RefCell,
    convert::Infallible,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue},
    },
    web::Bytes,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Connection;

/// Of all answers to polls.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Stands for a body. It is in no head and in no JSON text, which writes control characters as escapes.
const SLOT: u8 = 0;

/// A content up to this length is put together with its head: to send one piece costs the kernel less than two, and more
/// than copying so little.
const JOINED_BYTES: usize = 4096;

/// The body that is on its way. Where the client sends requests ahead, the next one waits: to the library a body is one
/// byte, so it would go on to answer however much of it is not taken.
#[derive(Default)]
pub(crate) struct Outbox(RefCell<OnItsWay>);

#[derive(Default)]
struct OnItsWay {
    content: Option<Bytes>,
    next_waits: bool,
}

/// A 200 with a JSON text that goes past the library.
pub(crate) fn answer(connection: Rc<Connection>, json: String) -> HttpResponse {
    let content = Bytes::from(json);
    let mut response = HttpResponse::build(StatusCode::OK);
    response.insert_header((CONTENT_TYPE, JSON)).no_chunking(content.len() as u64);
    response.body(Slot { connection, content: Some(content) })
}

/// What the library takes for the body.
struct Slot {
    connection: Rc<Connection>,
    content: Option<Bytes>,
}

impl MessageBody for Slot {
    type Error = Infallible;

    /// Not of a known size: the library would miss the bytes that it does not see.
    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Self { connection, content } = self.get_mut();
        let mut on_its_way = connection.outbox.0.borrow_mut();
        if content.is_some() && on_its_way.content.is_some() {
            // The stream wakes the connection's task, which polls both.
            on_its_way.next_waits = true;
            return Poll::Pending;
        }
        Poll::Ready(content.take().map(|content| {
            on_its_way.content = Some(content);
            Ok(Bytes::from_static(&[SLOT]))
        }))
    }
}

/// A connection's stream. What is written through it has the content in place of its slot.
pub(crate) struct BypassStream<S> {
    inner: S,
    connection: Rc<Connection>,
    /// So much of the content is written.
    written: usize,
}

impl<S> BypassStream<S> {
    pub(crate) fn new(inner: S, connection: Rc<Connection>) -> Self {
        Self { inner, connection, written: 0 }
    }

    pub(crate) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BypassStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let Self { inner, connection, written } = self.get_mut();
        let mut on_its_way = connection.outbox.0.borrow_mut();
        loop {
            let slot = buffer.iter().position(|byte| *byte == SLOT);
            let (Some(content), Some(slot)) = (&on_its_way.content, slot) else {
                return Pin::new(&mut *inner).poll_write(cx, buffer);
            };
            let rest = content.get(*written..).unwrap_or_default();
            if slot > 0 || !rest.is_empty() {
                let accepted = ready!(if rest.len() <= JOINED_BYTES {
                    // In memory of its own, which is zeroed when it is freed.
                    Pin::new(&mut *inner).poll_write(cx, &[&buffer[..slot], rest].concat())
                } else {
                    let parts = [IoSlice::new(&buffer[..slot]), IoSlice::new(rest)];
                    Pin::new(&mut *inner).poll_write_vectored(cx, &parts)
                })?;
                let Some(of_content) = accepted.checked_sub(slot).filter(|_| accepted > 0) else {
                    return Poll::Ready(Ok(accepted));
                };
                *written += of_content;
            }
            if *written == content.len() {
                *written = 0;
                if mem::take(&mut *on_its_way).next_waits {
                    cx.waker().wake_by_ref();
                }
                return Poll::Ready(Ok(slot + 1));
            }
            // With the slot at its front, the buffer is accepted no sooner than the content.
            if slot > 0 {
                return Poll::Ready(Ok(slot));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BypassStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

#[cfg(test)]
#[path = "bypass_tests.rs"]
mod tests;
