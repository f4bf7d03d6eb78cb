//! Ends a byte stream on which nothing moves: a zombie would hold the one upload slot.
//!
//! Below TLS and HTTP, so that it sees every byte of either direction, and a requester that stops reading as
//! well as one that stops asking.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::clock;

/// A byte stream whose reads and writes fail with [`io::ErrorKind::TimedOut`] once no byte has moved for a
/// while.
#[derive(Debug)]
pub(super) struct StallGuard<IO> {
    io: IO,
    limit: Duration,
    deadline: Pin<Box<Sleep>>,
    /// For whoever owns the stream in the end, and sees this error only through the layers between.
    has_stalled: Arc<AtomicBool>,
}

impl<IO> StallGuard<IO> {
    /// To be called within a runtime.
    pub(super) fn new(io: IO, limit: Duration) -> Self {
        Self { io, limit, deadline: Box::pin(sleep(limit)), has_stalled: Arc::default() }
    }

    /// Tells, also after the stream is gone, whether it ended for this reason.
    pub(super) fn has_stalled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_stalled)
    }

    /// Passes on what a read or write came to: progress moves the deadline, waiting is up to it.
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match outcome {
            Poll::Ready(Ok(_)) => {
                self.deadline.as_mut().reset(Instant::from_std(clock::now() + self.limit));
                outcome
            }
            Poll::Pending => self.deadline.as_mut().poll(cx).map(|()| {
                self.has_stalled.store(true, Ordering::Relaxed);
                Err(io::ErrorKind::TimedOut.into())
            }),
            Poll::Ready(Err(_)) => outcome,
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for StallGuard<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_read(cx, buf);
        self.watch(cx, outcome)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for StallGuard<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(cx, buf);
        self.watch(cx, outcome)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.watch(cx, outcome)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A flush of nothing is no progress.
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Pending => self.watch(cx, Poll::Pending),
            ready @ Poll::Ready(_) => ready,
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending => self.watch(cx, Poll::Pending),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::StallGuard;

    const LIMIT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn silence_ends_a_read() {
        let (io, _peer) = duplex(16);
        let error = StallGuard::new(io, LIMIT).read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_a_write() {
        let (io, _peer) = duplex(16);
        let error = StallGuard::new(io, LIMIT).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn each_byte_moves_the_deadline() {
        let (io, mut peer) = duplex(16);
        let mut guarded = StallGuard::new(io, LIMIT);
        let mut ticks = tokio::time::interval(LIMIT / 5);
        for _ in 0..15 {
            ticks.tick().await;
            peer.write_u8(1).await.unwrap();
            guarded.read_u8().await.unwrap();
        }
    }
}
