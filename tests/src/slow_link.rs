//! A slow way to a listener: passes bytes on at a given rate, so that a transfer lasts as long as a test needs.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
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

pub struct SlowLink {
    port: u16,
    destination: Arc<OnceLock<SocketAddr>>,
    ended: CancellationToken,
}

impl SlowLink {
    /// Listens at once; where it leads is told later, since a listener behind it may want to know its port
    /// before it starts.
    pub async fn start(bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the address of a listener").port();
        let destination = Arc::new(OnceLock::new());
        let ended = CancellationToken::new();
        let tasks = TaskTracker::new();
        let serve = accept(listener, destination.clone(), bytes_per_second, tasks.clone());
        tasks.spawn(ended.clone().run_until_cancelled_owned(serve));
        Self { port, destination, ended }
    }

    pub fn port(&self) -> u16 {
        self.port
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
    bytes_per_second: u32,
    tasks: TaskTracker,
) {
    while let Ok((near, _)) = listener.accept().await {
        let address = *destination.get().expect("the link leads somewhere before it is used");
        let Ok(far) = TcpStream::connect(address).await else {
            continue;
        };
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        tasks.spawn(pass_on(near_read, far_write, bytes_per_second));
        tasks.spawn(pass_on(far_read, near_write, bytes_per_second));
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes_per_second: u32) {
    let start = clock::now();
    let mut passed = 0_u32;
    let mut step = vec![0; STEP];
    while let Ok(read @ 1..) = from.read(&mut step).await {
        if to.write_all(&step[..read]).await.is_err() {
            return;
        }
        passed += u32::try_from(read).expect("a step is small");
        let due = Duration::from_secs(1) * passed / bytes_per_second;
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
    }
}
