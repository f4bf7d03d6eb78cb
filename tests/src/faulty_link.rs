//! A bad way to a listener: bytes come late, now and then not for a while, and connections break off. What happens
//! when follows from a seed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::link::Link;

/// Passed on at once; each step has its own fate.
const STEP: usize = 256 * 1024;
/// Of the steps, one in so many is the connection's last.
const CUT_ONE_IN: u32 = 20;
const STALL_ONE_IN: u32 = 20;
const STALL: Duration = Duration::from_millis(200);
const LATENCY: Duration = Duration::from_millis(5);

pub struct FaultyLink {
    link: Link,
    cuts: Arc<AtomicUsize>,
}

impl FaultyLink {
    /// Listens at once; where it leads is told later.
    pub fn start(seed: u64) -> Self {
        let mut seeds = StdRng::seed_from_u64(seed);
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&cuts);
        let link = Link::start(move |near, far| {
            let fates = [seeds.random(), seeds.random()].map(StdRng::seed_from_u64);
            carry(near, far, fates, Arc::clone(&counted))
        });
        Self { link, cuts }
    }

    pub fn port(&self) -> u16 {
        self.link.port()
    }

    pub fn leads_to(&self, address: SocketAddr) {
        self.link.leads_to(address);
    }

    /// Connections that were broken off.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

async fn carry(near: TcpStream, far: TcpStream, fates: [StdRng; 2], cuts: Arc<AtomicUsize>) {
    let [mut there, mut back] = fates;
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    // Both ways end together: a connection is cut, not half of it.
    let is_cut = tokio::select! {
        is_cut = pass_on(near_read, far_write, &mut there) => is_cut,
        is_cut = pass_on(far_read, near_write, &mut back) => is_cut,
    };
    if is_cut {
        cuts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tells whether it cut the connection itself.
async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fate: &mut StdRng,
) -> bool {
    let mut step = vec![0; STEP];
    let mut left = STEP;
    while let Ok(read @ 1..) = from.read(&mut step).await {
        tokio::time::sleep(LATENCY).await;
        // Counted in bytes, and not in what happens to be read at once: the same seed is the same fate.
        left = left.saturating_sub(read);
        if left == 0 {
            left = STEP;
            if fate.random_ratio(1, CUT_ONE_IN) {
                return true;
            }
            if fate.random_ratio(1, STALL_ONE_IN) {
                tokio::time::sleep(STALL).await;
            }
        }
        if to.write_all(&step[..read]).await.is_err() {
            return false;
        }
    }
    false
}
