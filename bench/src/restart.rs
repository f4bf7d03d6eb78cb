//! A restart while many are connected: all come back within their jitter, and not in one second.

use std::rc::Rc;

use anyhow::Result;
use tokio::task::LocalSet;

use crate::{
    clock,
    crowd::{self, Heard},
    measure::percentile,
    peer::Peer,
    report::{as_f64, milliseconds},
    server::Server,
};

pub(crate) async fn run(count: usize) -> Result<()> {
    let server = Server::coordinator("").await?;
    let (local, heard) = (LocalSet::new(), Rc::new(Heard::default()));
    let peers = (1..=count).map(|number| Peer::new(number, server.address)).collect();
    crowd::connect(peers, &local, &heard).await?;
    local.run_until(server.until_parked(count)).await?;
    heard.connected.borrow_mut().clear();

    let start = clock::now();
    let server = local
        .run_until(async {
            let server = server.restart().await?;
            server.until_parked(count).await?;
            anyhow::Ok(server)
        })
        .await?;
    let all_back = start.elapsed();
    let back: Vec<_> = heard.connected.borrow().iter().map(|at| at.duration_since(start)).collect();
    drop(local);
    server.stop().await;
    println!("\nA restart under {count} peers:");
    println!("- all are back, and park, after {}", milliseconds(all_back));
    println!(
        "- half are back after {}, the last after {}",
        percentile(&back, 50).map(milliseconds).unwrap_or_default(),
        percentile(&back, 100).map(milliseconds).unwrap_or_default()
    );
    let first = back.iter().min().copied().unwrap_or_default();
    let span = back.iter().max().copied().unwrap_or_default().saturating_sub(first);
    let mean = as_f64(back.len()) / span.as_secs_f64().max(1.0);
    let mut seconds = std::collections::HashMap::new();
    for at in &back {
        *seconds.entry(at.saturating_sub(first).as_secs()).or_insert(0_usize) += 1;
    }
    let most = seconds.values().max().copied().unwrap_or_default();
    println!("- the fullest second has {:.2} times the mean rate", as_f64(most) / mean);
    Ok(())
}
