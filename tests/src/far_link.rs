//! A long way to a listener: every byte takes its time, however many there are.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::Instant,
};

use crate::{clock, link::Link};

/// Read at once.
const STEP: usize = 256 * 1024;
/// Steps on their way: more than what comes in any delay that is measured.
const STEPS_MAX: usize = 1_000;

pub struct FarLink(Link);

impl FarLink {
    /// Listens at once; where it leads is told later. The delay is that of one way.
    pub fn start(delay: Duration) -> Self {
        Self(Link::start(move |near, far| carry(near, far, delay)))
    }

    pub fn port(&self) -> u16 {
        self.0.port()
    }

    pub fn leads_to(&self, address: SocketAddr) {
        self.0.leads_to(address);
    }
}

async fn carry(near: TcpStream, far: TcpStream, delay: Duration) {
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(pass_on(near_read, far_write, delay), pass_on(far_read, near_write, delay));
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (send, mut on_its_way) = mpsc::channel::<(Instant, Vec<u8>)>(STEPS_MAX);
    let departs = async move {
        let mut step = vec![0; STEP];
        while let Ok(read @ 1..) = from.read(&mut step).await {
            let arrives = Instant::from_std(clock::now() + delay);
            if send.send((arrives, step[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let arrives = async move {
        while let Some((due, step)) = on_its_way.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&step).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(departs, arrives);
}
