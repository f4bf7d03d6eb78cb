//! Searches for a minute: nothing is lost, and memory stays.

use std::{rc::Rc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::task::LocalSet;

use crate::{
    crowd::{self, Heard},
    peer::Peer,
    report::milliseconds,
    server::Server,
    sustained::{self, ANSWERERS},
};

/// So many peers are there in all, those who search and those who answer among them.
pub(crate) async fn run(peers: usize, rate: u32, duration: Duration) -> Result<()> {
    let every = Duration::from_secs(1) / rate;
    let actors = sustained::actors(every);
    let crowd = peers.checked_sub(actors).context("too few peers for so many searches a second")?;
    let server = Server::coordinator("").await?;
    let (local, heard) = (LocalSet::new(), Rc::new(Heard::default()));
    let plain = (1..=crowd).map(|number| Peer::new(number, server.address)).collect();
    crowd::connect(plain, &local, &heard).await?;
    let memory_before = server.resident()?;
    let sustained = local.run_until(sustained::search(&server, &local, crowd, every, duration)).await?;
    drop(local);
    server.stop().await;

    let seconds = duration.as_secs_f64();
    println!("\n{rate} searches a second over {peers} peers for {seconds} s, {ANSWERERS} answers each:");
    println!("- searches {}, results lost {}", sustained.searches, sustained.lost);
    let [p50, p99] = [50, 99].map(|percent| milliseconds(sustained.first_result(percent)));
    println!("- to the first result: p50 {p50}, p99 {p99}");
    let mebibytes = |bytes: Option<&u64>| bytes.copied().unwrap_or_default() / 1024 / 1024;
    println!(
        "- processor time {:.0} % of one; memory {} MiB before, {} MiB after a third, {} MiB at the end",
        sustained.processor.as_secs_f64() / seconds * 100.0,
        mebibytes(Some(&memory_before)),
        mebibytes(sustained.memory.get(sustained.memory.len() / 3)),
        mebibytes(sustained.memory.last()),
    );
    Ok(())
}
