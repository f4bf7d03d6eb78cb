//! A connection's pace: how slowly its client may send and take, and how far ahead of the answers it may send.
//!
//! The HTTP library has a time for the headers of a connection's first request only, and none for answers that are not
//! taken. What is sent ahead it reads and keeps, also while a poll is parked; and once its buffer is full it looks again
//! and again whether there is room, with all of a processor. So the stream beneath it sees to that:
//!
//! - a request of which something has come has to have begun in time, whichever of its connection it is;
//! - what is to be written has to be taken in time, once the socket is full;
//! - what is sent ahead stays in the socket while a poll is parked or an answer waits to be taken;
//! - when the server ends, so does the connection, unless a call is under way: the library takes it for one that the
//!   client has closed.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::{
    connection::Connection,
    ending::{Ending, WillWake},
};

/// So much is read until the library has looked at it: a body takes a few turns, and what a client sends ahead in small
/// requests, each of which takes more room than its bytes, is bounded.
const TURN_BYTES: usize = 16 * 1024;

/// How long a client may take.
#[derive(Debug)]
pub(crate) struct Patience {
    /// For the head of a request, from its first bytes.
    pub(crate) headers: Duration,
    /// For what is to be written, from when the socket is full.
    pub(crate) answer: Duration,
    /// For the rest of a body of no told length, once its call is answered.
    pub(crate) rest: Duration,
}

/// The calls of one connection, which come one after the other.
#[derive(Default)]
pub(crate) struct Calls(Cell<Progress>);

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    begun: u64,
    under_way: Option<Brings>,
    /// The last call's body may go on after its answer, and the library waits for its end.
    leaves_rest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brings {
    /// All of it has come: what comes now is sent ahead.
    Nothing,
    Body,
    /// In chunks, and until they end.
    Chunks,
}

impl Calls {
    pub(crate) fn begin(&self, brings: Brings) {
        let begun = self.0.get().begun + 1;
        self.0.set(Progress { begun, under_way: Some(brings), leaves_rest: brings == Brings::Chunks });
    }

    pub(crate) fn end(&self) {
        self.0.set(Progress { under_way: None, ..self.0.get() });
    }
}

pub(crate) struct PacedStream<S> {
    inner: S,
    connection: Rc<Connection>,
    patience: Rc<Patience>,
    ending: Rc<Ending>,
    /// From the first look on: a connection is one task's, whose waker stays the same.
    is_woken_by_end: Option<WillWake>,
    /// In this turn: since there was last nothing more for the library.
    read: usize,
    /// Something came during a call that brings nothing more, and may wait in the library's buffer.
    is_ahead: bool,
    /// The library waits although there may be something to read.
    is_held: bool,
    /// Something came between two calls, after so many of them.
    came_after: Option<u64>,
    begun_until: Option<Pin<Box<Sleep>>>,
    taken_until: Option<Pin<Box<Sleep>>>,
}

impl<S> PacedStream<S> {
    pub(crate) fn new(
        inner: S,
        connection: Rc<Connection>,
        patience: Rc<Patience>,
        ending: Rc<Ending>,
    ) -> Self {
        Self {
            inner,
            connection,
            patience,
            ending,
            is_woken_by_end: None,
            read: 0,
            is_ahead: false,
            is_held: false,
            came_after: None,
            begun_until: None,
            taken_until: None,
        }
    }

    fn progress(&self) -> Progress {
        self.connection.calls.0.get()
    }

    fn holds_back(&self) -> bool {
        let parked = self.progress().under_way == Some(Brings::Nothing);
        self.taken_until.is_some() || parked && self.is_ahead
    }

    /// Nothing is under way, and all answers are taken.
    fn is_between_calls(&self) -> bool {
        self.progress().under_way.is_none() && self.taken_until.is_none()
    }

    /// Notes how a write went.
    fn written(&mut self, outcome: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if outcome.is_pending() {
            in_time(&mut self.taken_until, self.patience.answer, cx)?;
        }
        outcome
    }
}

/// Counts from the first call on.
fn in_time(until: &mut Option<Pin<Box<Sleep>>>, patience: Duration, cx: &mut Context<'_>) -> io::Result<()> {
    let until = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
    if until.as_mut().poll(cx).is_ready() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Progress { begun, under_way, .. } = this.progress();
        this.is_woken_by_end.get_or_insert_with(|| this.ending.will_wake(cx.waker()));
        if this.is_between_calls() {
            if this.ending.has_come() {
                return Poll::Ready(Ok(()));
            }
            // Whatever was sent ahead has been called.
            this.is_ahead = false;
        }
        if this.holds_back() {
            (this.read, this.is_held) = (0, true);
            return Poll::Pending;
        }
        if this.read >= TURN_BYTES {
            this.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Poll::Ready(outcome) = Pin::new(&mut this.inner).poll_read(cx, buffer) else {
            this.read = 0;
            return Poll::Pending;
        };
        let count = buffer.filled().len() - before;
        this.read += count;
        if count > 0 {
            match under_way {
                None => this.came_after = Some(begun),
                Some(Brings::Nothing) => this.is_ahead = true,
                Some(Brings::Body | Brings::Chunks) => {}
            }
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write(cx, buffer);
        this.written(outcome, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, parts);
        this.written(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// The library flushes whenever it has done all it can, with something to write or without.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        this.taken_until = None;
        let is_over = this.ending.has_come() && this.is_between_calls();
        if is_over || this.is_held && !this.holds_back() {
            this.is_held = false;
            cx.waker().wake_by_ref();
        }
        let Progress { begun, under_way, leaves_rest } = this.progress();
        // The library itself looks after the first head.
        if begun > 0 && this.came_after == Some(begun) {
            in_time(&mut this.begun_until, this.patience.headers, cx)?;
        } else if under_way.is_none() && leaves_rest {
            in_time(&mut this.begun_until, this.patience.rest, cx)?;
        } else {
            (this.came_after, this.begun_until) = (None, None);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
