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
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::{clock, link::Link, steering::PIECE};

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
    /// Of all bytes that it carries, after which it stands still.
    stands_still_after: u64,
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
            pace: watch::Sender::new(Pace { bytes_per_second, stands_still_after: u64::MAX }),
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
        self.traffic.pace.send_replace(Pace { bytes_per_second, stands_still_after: u64::MAX });
    }

    /// Once it has carried so many bytes: a test that changes something under way need not hurry.
    pub fn stands_still_after(&self, bytes: u64) {
        self.traffic.pace.send_modify(|pace| pace.stands_still_after = bytes);
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

async fn carry(near: TcpStream, far: TcpStream, traffic: Arc<Traffic>) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    traffic.open.fetch_add(2, Ordering::Relaxed);
    tokio::join!(pass_on(near_read, far_write, &traffic), pass_on(far_read, near_write, &traffic));
}

/// One way of a connection, until it ends.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, traffic: &Traffic) {
    let start = clock::now();
    let mut due = Duration::ZERO;
    let mut step = vec![0; STEP];
    let mut pace = traffic.pace.subscribe();
    while let Ok(read @ 1..) = from.read(&mut step).await {
        let may_run = |pace: &Pace| traffic.bytes.load(Ordering::Relaxed) < pace.stands_still_after;
        let Ok(bytes_per_second) = pace.wait_for(may_run).await.map(|pace| pace.bytes_per_second) else {
            break;
        };
        if to.write_all(&step[..read]).await.is_err() {
            break;
        }
        traffic.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let read = u32::try_from(read).expect("a step is small");
        let elapsed = start.elapsed();
        // What was not used of the time before is lost, but for a moment's lateness.
        due = due.max(elapsed.saturating_sub(LATENESS));
        due += Duration::from_secs(1) * read / bytes_per_second;
        tokio::time::sleep(due.saturating_sub(elapsed)).await;
    }
    traffic.open.fetch_sub(1, Ordering::Relaxed);
}
