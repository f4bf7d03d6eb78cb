//! A slow way to a listener: passes bytes on at a given rate, or up to a given byte, so that a transfer lasts as long
//! as a test needs, and counts them, so that a test can tell whether anything came twice.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{clock, link::Link, steering::PIECE, wait::GLANCE};

/// Bytes a second at which what a case has begun outlasts it: in the time that a test may take, less comes than a file
/// of some pieces has. To the daemons such a transfer is neither silent nor slow.
pub const CRAWL: u32 = 32 * 1024;

/// Passed on at once; small against a second's bytes.
const STEP: usize = 64 * 1024;
/// On a busy machine a step may come so late, and is made up for.
const LATENESS: Duration = Duration::from_millis(500);

/// What comes over it for a stream beside the bytes of files (TLS, heads, piece layers), and what is in flight when a
/// stream is stopped.
const OVERHEAD_PER_STREAM: u64 = 512 * 1024;

pub struct SlowLink {
    link: Link,
    traffic: Arc<Traffic>,
}

#[derive(Clone, Copy)]
struct Pace {
    bytes_per_second: u32,
    /// Of all bytes that it carries: after these, it goes on at the other rate.
    turns_after: u64,
    /// 0 where it stands still.
    then: u32,
}

impl Pace {
    fn steady(bytes_per_second: u32) -> Self {
        Self { bytes_per_second, turns_after: u64::MAX, then: 0 }
    }

    fn after(&self, bytes: u64) -> u32 {
        if bytes < self.turns_after { self.bytes_per_second } else { self.then }
    }
}

struct Traffic {
    pace: watch::Sender<Pace>,
    /// Both ways, over all connections.
    bytes: AtomicU64,
    /// Ways of connections that are open; each connection has two.
    open: AtomicUsize,
}

impl SlowLink {
    /// Listens at once; where it leads is told later.
    pub fn start(bytes_per_second: u32) -> Self {
        let traffic = Arc::new(Traffic {
            pace: watch::Sender::new(Pace::steady(bytes_per_second)),
            bytes: AtomicU64::default(),
            open: AtomicUsize::default(),
        });
        let carried = Arc::clone(&traffic);
        let link = Link::start(move |near, far| carry(near, far, Arc::clone(&carried)));
        Self { link, traffic }
    }

    pub fn port(&self) -> u16 {
        self.link.port()
    }

    /// Changes its rate, also for connections that are open, and goes on where it stood still.
    pub fn runs_at(&self, bytes_per_second: u32) {
        self.traffic.pace.send_replace(Pace::steady(bytes_per_second));
    }

    /// Carries so many bytes more, and then nothing: a test that looks or changes something under way need not hurry.
    /// A connection of which one side goes away meanwhile ends.
    pub fn stands_still_after(&self, bytes: u64) {
        self.turns_after(bytes, 0);
    }

    /// The same in the middle of the piece that comes after so many of them.
    pub fn stands_still_after_pieces(&self, pieces: usize) {
        self.stands_still_after((pieces * PIECE + PIECE / 2) as u64);
    }

    /// Carries so many bytes more as before, and then goes at a [`CRAWL`]: for what takes longer than peers bear
    /// silence.
    pub fn crawls_after(&self, bytes: u64) {
        self.turns_after(bytes, CRAWL);
    }

    fn turns_after(&self, bytes: u64, then: u32) {
        let turns_after = self.passed() + bytes;
        self.traffic.pace.send_modify(|pace| *pace = Pace { turns_after, then, ..*pace });
    }

    /// Bytes passed on so far, both ways.
    pub fn passed(&self) -> u64 {
        self.traffic.bytes.load(Ordering::Relaxed)
    }

    /// Asserts that these bytes of files came after the first `before` bytes, and of what had come already at most a piece
    /// for each time that a stream was stopped.
    pub fn has_carried(&self, before: u64, bytes: u64, stops: u64) {
        let passed = self.passed() - before;
        let allowed = bytes + stops * PIECE as u64 + (stops + 1) * OVERHEAD_PER_STREAM;
        assert!((bytes..=allowed).contains(&passed), "{passed} bytes came, {bytes} to {allowed} are allowed");
    }

    /// Whether any connection over it is open.
    pub fn is_in_use(&self) -> bool {
        self.traffic.open.load(Ordering::Relaxed) > 0
    }

    pub fn leads_to(&self, address: SocketAddr) {
        self.link.leads_to(address);
    }
}

impl Traffic {
    /// Waits while the link stands still, and gives its rate; nothing for a connection that is over.
    async fn may_go_on(
        &self,
        pace: &mut watch::Receiver<Pace>,
        from: &OwnedReadHalf,
        over: &CancellationToken,
    ) -> Option<u32> {
        let mut rate = 0;
        let runs = |pace: &Pace| {
            rate = pace.after(self.bytes.load(Ordering::Relaxed));
            rate > 0
        };
        tokio::select! {
            biased;
            runs = pace.wait_for(runs) => runs.is_ok().then_some(rate),
            () = over.cancelled() => None,
            () = has_ended(from) => None,
        }
    }
}

/// Returns when the other side has closed its end, although not all is read that it has sent.
async fn has_ended(from: &OwnedReadHalf) {
    while from.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        tokio::time::sleep(GLANCE).await;
    }
}

async fn carry(near: TcpStream, far: TcpStream, traffic: Arc<Traffic>) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let over = CancellationToken::new();
    traffic.open.fetch_add(2, Ordering::Relaxed);
    tokio::join!(
        pass_on(near_read, far_write, &traffic, &over),
        pass_on(far_read, near_write, &traffic, &over),
    );
}

/// One way of a connection, until it ends.
async fn pass_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    traffic: &Traffic,
    over: &CancellationToken,
) {
    let start = clock::now();
    let mut due = Duration::ZERO;
    let mut step = vec![0; STEP];
    let mut pace = traffic.pace.subscribe();
    while let Ok(read @ 1..) = from.read(&mut step).await {
        let Some(rate) = traffic.may_go_on(&mut pace, &from, over).await else { break };
        if to.write_all(&step[..read]).await.is_err() {
            break;
        }
        traffic.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let read = u32::try_from(read).expect("a step is small");
        let elapsed = start.elapsed();
        // What was not used of the time before is lost, but for a moment's lateness.
        due = due.max(elapsed.saturating_sub(LATENESS));
        due += Duration::from_secs(1) * read / rate;
        tokio::select! {
            () = tokio::time::sleep(due.saturating_sub(elapsed)) => {}
            _ = pace.changed() => due = start.elapsed(),
        }
    }
    over.cancel();
    traffic.open.fetch_sub(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::wait::{PATIENCE, until, within};

    /// A link with a connection over it, on which more waits to be read than the link lets through.
    async fn standing_still() -> (SlowLink, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = SlowLink::start(u32::MAX);
        link.leads_to(listener.local_addr().unwrap());
        link.stands_still_after(1);
        let mut near = TcpStream::connect(("127.0.0.1", link.port())).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        for word in [b"one", b"two"] {
            near.write_all(word).await.unwrap();
            far.write_all(word).await.unwrap();
            until("the first word has come", PATIENCE, async || (link.passed() > 0).then_some(())).await;
        }
        (link, near, far)
    }

    #[tokio::test]
    async fn a_link_that_stands_still_notices_that_either_side_is_gone() {
        let (link, near, far) = standing_still().await;
        assert!(link.is_in_use());
        drop(far);
        until("its end is noticed", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
        drop(near);

        let (link, near, _far) = standing_still().await;
        drop(near);
        until("its end is noticed", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
    }

    #[tokio::test]
    async fn a_link_that_stood_still_or_slept_goes_on_where_it_was() {
        let (link, mut near, mut far) = standing_still().await;
        let before = link.passed();
        // So slow that this is over its patience.
        link.runs_at(100);
        far.write_all(&[7; 3_600]).await.unwrap();
        until("it sleeps", PATIENCE, async || (link.passed() > before + 3_600).then_some(())).await;
        link.runs_at(u32::MAX);
        near.write_all(b"three").await.unwrap();
        near.shutdown().await.unwrap();
        far.shutdown().await.unwrap();
        let (mut there, mut back) = (Vec::new(), Vec::new());
        within("all of it comes", PATIENCE, async {
            far.read_to_end(&mut there).await.unwrap();
            near.read_to_end(&mut back).await.unwrap();
        })
        .await;
        assert_eq!(there, b"onetwothree");
        assert_eq!(back.len(), 3_606);
    }
}
