//! What peers cost that are there and hear each search: one server with so many of them.

use std::{process::id, time::Duration};

use anyhow::Result;
use tokio::task::LocalSet;

use crate::{
    clock,
    measure::cpu,
    pace::Pace,
    quantity::{Figures, Quantity},
    relays::Relay,
    report::{as_f64, kibibytes_each, microseconds_each},
    sustained::Sustained,
    traffic,
};

pub(crate) async fn measure(mut relay: impl Relay, peers: usize, pace: Pace) -> Result<Figures> {
    let local = LocalSet::new();
    let figures = local.run_until(look(&mut relay, peers, pace, &local)).await;
    drop(local);
    relay.stop().await;
    figures
}

async fn look(relay: &mut impl Relay, peers: usize, pace: Pace, local: &LocalSet) -> Result<Figures> {
    let mut figures = Figures::new();

    let memory_before = relay.server().resident()?;
    let traffic_before = traffic::so_far();
    let (start, processor_before) = (clock::now(), relay.server().cpu()?);
    relay.gather(peers, local).await?;
    let (took, processor) = (start.elapsed(), relay.server().cpu()?.saturating_sub(processor_before));
    let memory = relay.server().resident()?.saturating_sub(memory_before);
    figures.insert(Quantity::Connects, as_f64(peers) / took.as_secs_f64());
    figures.insert(Quantity::ConnectProcessor, microseconds_each(processor, peers));
    figures.insert(Quantity::ConnectTraffic, kibibytes_each(traffic::so_far() - traffic_before, peers));
    figures.insert(Quantity::Memory, kibibytes_each(memory, peers));

    let processor_before = relay.server().cpu()?;
    tokio::time::sleep(pace.idle()).await;
    let idle = relay.server().cpu()?.saturating_sub(processor_before);
    figures.insert(Quantity::IdleProcessor, in_milliseconds(idle) / pace.idle().as_secs_f64());

    // What follows from a search is looked at when nothing follows from the connects any more.
    if relay.ends_connections() {
        let processor_before = relay.server().cpu()?;
        tokio::time::sleep(pace.turnover().saturating_sub(start.elapsed())).await;
        relay.settled().await?;
        let processor = relay.server().cpu()?.saturating_sub(processor_before);
        figures.insert(Quantity::EndProcessor, microseconds_each(processor, peers));
    }

    let (processor_before, own_before) = (relay.server().cpu()?, cpu(id())?);
    let mut reached = Duration::ZERO;
    for _ in 0..pace.searches {
        let start = clock::now();
        reached += relay.search().await?;
        relay.settled().await?;
        tokio::time::sleep(pace.interval.saturating_sub(start.elapsed())).await;
    }
    let processor = relay.server().cpu()?.saturating_sub(processor_before);
    let own = cpu(id())?.saturating_sub(own_before);
    let memory = relay.server().resident()?.saturating_sub(memory_before);
    let searches = usize::try_from(pace.searches)?;
    figures.insert(Quantity::ReachedAll, in_milliseconds(reached) / as_f64(searches));
    figures.insert(Quantity::SearchProcessor, microseconds_each(processor, peers * searches));
    figures.insert(Quantity::PeersProcessor, microseconds_each(own, peers * searches));
    figures.insert(Quantity::MemoryAfterwards, kibibytes_each(memory, peers));

    if let Some(sustained) = relay.sustain(local).await? {
        add_sustained(&mut figures, &sustained, peers);
    }
    Ok(figures)
}

fn add_sustained(figures: &mut Figures, sustained: &Sustained, peers: usize) {
    figures.insert(Quantity::SustainedRate, 1.0 / sustained.every.as_secs_f64());
    figures.insert(Quantity::SustainedLost, as_f64(sustained.lost));
    figures.insert(Quantity::FirstResultMedian, in_milliseconds(sustained.first_result(50)));
    figures.insert(Quantity::FirstResultP99, in_milliseconds(sustained.first_result(99)));
    let deliveries = peers * sustained.searches;
    figures.insert(Quantity::SustainedProcessor, microseconds_each(sustained.processor, deliveries));
}

fn in_milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
