//! Many searches a second over some time: whether all results arrive, and how soon the first one does.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use protocol::{Event, SearchId};
use tokio::{sync::Notify, task::LocalSet};

use crate::{
    clock,
    crowd::{self, Heard},
    measure::{median, percentile},
    peer::{Peer, Polled},
    report::milliseconds,
    server::Server,
};

/// Peers that have what is searched for: each search gets so many answers.
const ANSWERERS: usize = 10;
/// A session may search once a second.
const SEARCHERS_A_RATE: usize = 2;
const NAME: &str = "holiday photos 2026.zip";
const QUERY: &str = "holiday photos 2026";
/// After the last search, results have so long to arrive.
const LAST_WAIT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Results {
    opened: RefCell<HashMap<SearchId, Instant>>,
    first: RefCell<Vec<Duration>>,
    counts: RefCell<HashMap<SearchId, usize>>,
}

impl Results {
    fn arrived(&self, id: SearchId) {
        let Some(opened) = self.opened.borrow().get(&id).copied() else { return };
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(id).or_default();
        *count += 1;
        if *count == 1 {
            self.first.borrow_mut().push(opened.elapsed());
        }
    }
}

pub(crate) async fn run(count: usize, rate: u32, duration: Duration) -> Result<()> {
    let server = Server::coordinator("").await?;
    let (local, heard, results) = (LocalSet::new(), Rc::new(Heard::default()), Rc::new(Results::default()));
    let searchers = usize::try_from(rate)? * SEARCHERS_A_RATE;
    ensure!(count > ANSWERERS + searchers, "too few peers for {rate} searches a second");
    let plain = (1..=count - ANSWERERS - searchers).map(|number| Peer::new(number, server.address)).collect();
    crowd::connect(plain, &local, &heard).await?;
    let outcome = local
        .run_until(async {
            for number in 0..ANSWERERS {
                let mut peer = Peer::new(count + 1 + number, server.address);
                peer.connect().await?;
                local.spawn_local(answer_all(peer));
            }
            let mut bells = Vec::new();
            for number in 0..searchers {
                let (mut polling, bell) =
                    (Peer::new(2 * count + number, server.address), Rc::new(Notify::new()));
                polling.connect().await?;
                let searching = polling.same_session();
                local.spawn_local(search_at_the_bell(searching, Rc::clone(&bell), Rc::clone(&results)));
                local.spawn_local(hear_results(polling, Rc::clone(&results)));
                bells.push(bell);
            }
            server.until_parked(count).await?;
            ring(&server, &bells, rate, duration).await
        })
        .await?;
    drop(local);
    server.stop().await;
    let opened = results.opened.borrow().len();
    let lost: usize = opened * ANSWERERS
        - results.counts.borrow().values().map(|count| (*count).min(ANSWERERS)).sum::<usize>();
    let first = results.first.borrow();
    println!(
        "\n{rate} searches a second over {count} peers for {} s, {ANSWERERS} answers each:",
        duration.as_secs()
    );
    println!("- searches {opened}, results lost {lost}");
    println!(
        "- to the first result: p50 {}, p99 {}",
        median(&first).map(milliseconds).unwrap_or_default(),
        percentile(&first, 99).map(milliseconds).unwrap_or_default()
    );
    println!("- {outcome}");
    Ok(())
}

/// Has the searchers search in turns; tells memory and processor time.
async fn ring(server: &Server, bells: &[Rc<Notify>], rate: u32, duration: Duration) -> Result<String> {
    let (start, cpu_before, memory_before) = (clock::now(), server.cpu()?, server.resident()?);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut memory = vec![memory_before];
    for bell in bells.iter().cycle() {
        ticks.tick().await;
        if start.elapsed() >= duration {
            break;
        }
        bell.notify_one();
        memory.push(server.resident()?);
    }
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    tokio::time::sleep(LAST_WAIT).await;
    let mebibytes = |bytes: u64| bytes / 1024 / 1024;
    let third = memory.len() / 3;
    Ok(format!(
        "processor time {:.0} % of one; memory {} MiB before, {} MiB after a third, {} MiB at the end",
        cpu.as_secs_f64() / duration.as_secs_f64() * 100.0,
        mebibytes(memory_before),
        mebibytes(memory[third]),
        mebibytes(memory[memory.len() - 1]),
    ))
}

async fn answer_all(mut peer: Peer) {
    let mut calls = peer.same_session();
    loop {
        match peer.poll().await {
            Polled::Batch(batch) => {
                for event in batch.events {
                    if let Event::Search { id, .. } = event {
                        // A search that is over by now counts as lost.
                        let _ = calls.answer(id, NAME).await;
                    }
                }
            }
            Polled::Later(pause) => tokio::time::sleep(pause).await,
            Polled::Quiet { .. } => {}
            Polled::Lapsed => return,
        }
    }
}

async fn search_at_the_bell(mut peer: Peer, bell: Rc<Notify>, results: Rc<Results>) {
    loop {
        bell.notified().await;
        let id = SearchId::random();
        results.opened.borrow_mut().insert(id, clock::now());
        // One that is refused has no results, and counts as lost.
        let _ = peer.search(id, QUERY).await;
    }
}

async fn hear_results(mut peer: Peer, results: Rc<Results>) {
    loop {
        match peer.poll().await {
            Polled::Batch(batch) => {
                for event in batch.events {
                    if let Event::SearchResults { id, .. } = event {
                        results.arrived(id);
                    }
                }
            }
            Polled::Later(pause) => tokio::time::sleep(pause).await,
            Polled::Quiet { .. } => {}
            Polled::Lapsed => return,
        }
    }
}
