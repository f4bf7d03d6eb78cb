//! A slow way to a listener: passes bytes on at a given rate, so that a transfer lasts as long as a test needs,
//! and counts them, so that a test can tell whether anything came twice.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::clock;

/// Passed on at once; small against a second's bytes.
const STEP: usize = 64 * 1024;
/// On a busy machine a step may come so late, and is made up for.
const LATENESS: Duration = Duration::from_millis(500);

pub struct SlowLink {
    port: u16,
    destination: Arc<OnceLock<SocketAddr>>,
    traffic: Arc<Traffic>,
    ended: CancellationToken,
}

struct Traffic {
    bytes_per_second: AtomicU32,
    /// Both ways, over all connections.
    bytes: AtomicU64,
    /// Ways of connections that are open; each connection has two.
    open: AtomicUsize,
}

impl SlowLink {
    /// Listens at once; where it leads is told later, since a listener behind it may want to know its port
    /// before it starts.
    pub async fn start(bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the address of a listener").port();
        let destination = Arc::new(OnceLock::new());
        let traffic = Arc::new(Traffic {
            bytes_per_second: AtomicU32::new(bytes_per_second),
            bytes: AtomicU64::default(),
            open: AtomicUsize::default(),
        });
        let ended = CancellationToken::new();
        let tasks = TaskTracker::new();
        let serve = accept(listener, destination.clone(), traffic.clone(), tasks.clone());
        tasks.spawn(ended.clone().run_until_cancelled_owned(serve));
        Self { port, destination, traffic, ended }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes its rate, also for connections that are open.
    pub fn runs_at(&self, bytes_per_second: u32) {
        self.traffic.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Bytes passed on so far, both ways.
    pub fn passed(&self) -> u64 {
        self.traffic.bytes.load(Ordering::Relaxed)
    }

    /// Whether any connection over it is open.
    pub fn is_in_use(&self) -> bool {
        self.traffic.open.load(Ordering::Relaxed) > 0
    }

    pub fn leads_to(&self, address: SocketAddr) {
        self.destination.set(address).expect("a link leads to one place");
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    destination: Arc<OnceLock<SocketAddr>>,
    traffic: Arc<Traffic>,
    tasks: TaskTracker,
) {
    while let Ok((near, _)) = listener.accept().await {
        let address = *destination.get().expect("the link leads somewhere before it is used");
        let Ok(far) = TcpStream::connect(address).await else {
            continue;
        };
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        for (from, to) in [(near_read, far_write), (far_read, near_write)] {
            traffic.open.fetch_add(1, Ordering::Relaxed);
            let traffic = traffic.clone();
            tasks.spawn(async move {
                pass_on(from, to, &traffic).await;
                traffic.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, traffic: &Traffic) {
    let start = clock::now();
    let mut due = Duration::ZERO;
    let mut step = vec![0; STEP];
    while let Ok(read @ 1..) = from.read(&mut step).await {
        if to.write_all(&step[..read]).await.is_err() {
            return;
        }
        traffic.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let read = u32::try_from(read).expect("a step is small");
        let elapsed = start.elapsed();
        // What was not used of the time before is lost, but for a moment's lateness.
        due = due.max(elapsed.saturating_sub(LATENESS));
        due += Duration::from_secs(1) * read / traffic.bytes_per_second.load(Ordering::Relaxed);
        tokio::time::sleep(due.saturating_sub(elapsed)).await;
    }
}
