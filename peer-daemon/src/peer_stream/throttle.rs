//! A byte stream that is no faster than the person wants, and the handle that changes how fast that is while it
//! runs.

use std::{
    io,
    num::NonZeroU64,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::token_bucket::TokenBucket;
use crate::clock;

/// How fast bytes may go one way, over all streams together. Clones share it; at first there is no limit.
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes a second; 0 where there is no limit. Without one nothing but this is looked at.
    rate: AtomicU64,
    passed: AtomicU64,
    /// A plain mutex: held for a sum.
    bucket: Mutex<TokenBucket>,
}

impl Throttle {
    /// Counts within a moment, also for streams that are under way.
    pub fn set_rate(&self, bytes_per_second: Option<NonZeroU64>) {
        self.shared.rate.store(bytes_per_second.map_or(0, NonZeroU64::get), Ordering::Relaxed);
    }

    pub fn rate(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.shared.rate.load(Ordering::Relaxed))
    }

    /// Bytes that went so far, in all.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    fn allowance(&self, wanted: usize) -> Result<usize, std::time::Instant> {
        match self.rate() {
            Some(rate) => self.bucket().allowance(clock::now(), rate, wanted),
            None => Ok(wanted),
        }
    }

    fn spend(&self, bytes: usize) {
        self.shared.passed.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(rate) = self.rate() {
            self.bucket().spend(clock::now(), rate, bytes);
        }
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, TokenBucket> {
        self.shared.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction of a stream.
#[derive(Debug, Default)]
struct Way {
    throttle: Throttle,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Way {
    /// How many of the wanted bytes may go, once any may. No pause is long, so a changed rate is noticed soon.
    fn poll_allowance(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        loop {
            let until = match self.throttle.allowance(wanted) {
                Ok(allowed) => {
                    self.pause = None;
                    return Poll::Ready(allowed);
                }
                Err(until) => Instant::from_std(until),
            };
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(until)));
            pause.as_mut().reset(until);
            ready!(pause.as_mut().poll(cx));
        }
    }
}

/// A byte stream whose reads, writes or both are limited. Nothing is held back in it: what may not go yet stays
/// with whoever wants to send it, and in the system's buffers.
#[derive(Debug)]
pub struct Throttled<IO> {
    io: IO,
    reads: Way,
    writes: Way,
}

impl<IO> Throttled<IO> {
    pub fn reading(io: IO, throttle: Throttle) -> Self {
        Self { io, reads: Way { throttle, pause: None }, writes: Way::default() }
    }

    pub fn writing(io: IO, throttle: Throttle) -> Self {
        Self { io, reads: Way::default(), writes: Way { throttle, pause: None } }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Throttled<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = buf.remaining();
        let allowed = ready!(this.reads.poll_allowance(cx, room));
        let read = if allowed < room {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(allowed));
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buf.advance(read);
            read
        } else {
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            room - buf.remaining()
        };
        this.reads.throttle.spend(read);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Throttled<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let allowed = ready!(this.writes.poll_allowance(cx, buf.len()));
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, &buf[..allowed]))?;
        this.writes.throttle.spend(written);
        Poll::Ready(Ok(written))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.writes.throttle.rate().is_some() {
            // The first of them is as much as may go at once, or nearly.
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.poll_write(cx, first);
        }
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.writes.throttle.spend(written);
        Poll::Ready(Ok(written))
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU64, time::Duration};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::{Throttle, Throttled};

    const RATE: u64 = 20 * 1024;

    fn throttle(bytes_per_second: u64) -> Throttle {
        let throttle = Throttle::default();
        throttle.set_rate(NonZeroU64::new(bytes_per_second));
        throttle
    }

    /// Time is tokio's here, and the bucket's is the machine's: so bytes are counted and not seconds.
    #[tokio::test]
    async fn all_bytes_come_through_in_order_and_are_counted() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for rate in [0, 2_000_000] {
            let (near, far) = duplex(4_096);
            let (upload, download) = (throttle(rate), throttle(rate));
            let mut near = Throttled::writing(near, upload.clone());
            let mut far = Throttled::reading(far, download.clone());
            let mut received = vec![0; bytes.len()];
            let (sent, read) = tokio::join!(near.write_all(&bytes), far.read_exact(&mut received));
            assert!(sent.is_ok() && read.is_ok() && received == bytes, "at {rate}");
            assert_eq!((upload.passed(), download.passed()), (200_000, 200_000));
        }
    }

    #[tokio::test]
    async fn a_changed_rate_counts_in_a_stream_that_is_under_way() {
        let (near, mut far) = duplex(1 << 20);
        let throttle = throttle(RATE);
        let mut sender = Throttled::writing(near, throttle.clone());
        // At the first rate, this would take an hour.
        let bytes = vec![7; 72 << 20];
        let mut received = vec![0; bytes.len()];
        let change = async {
            while throttle.passed() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            throttle.set_rate(None);
        };
        let (sent, read, ()) = tokio::join!(sender.write_all(&bytes), far.read_exact(&mut received), change);
        assert!(sent.is_ok() && read.is_ok());
    }

    #[tokio::test]
    async fn several_buffers_are_written_as_one_would_be() {
        for rate in [0, 2_000_000] {
            let (near, mut far) = duplex(1 << 20);
            let mut sender = Throttled::writing(near, throttle(rate));
            let parts =
                [std::io::IoSlice::new(b""), std::io::IoSlice::new(b"ab"), std::io::IoSlice::new(b"cd")];
            let written = sender.write_vectored(&parts).await.unwrap();
            let mut received = vec![0; written];
            far.read_exact(&mut received).await.unwrap();
            assert!(b"abcd".starts_with(&received[..]) && written > 0, "at {rate}");
        }
    }
}
