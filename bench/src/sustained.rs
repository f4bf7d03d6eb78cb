//! Many searches a second over some time: whether all results arrive, and how soon the first one does.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;
use protocol::{Event, SearchId};
use tokio::{
    sync::Notify,
    task::LocalSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    clock,
    measure::percentile,
    peer::{Peer, Polled},
    server::Server,
};

/// Peers that have what is searched for: each search gets so many answers.
pub(crate) const ANSWERERS: usize = 10;
/// A session may search once a second, and does half as often.
const SEARCHER_RESTS: Duration = Duration::from_secs(2);
const NAME: &str = "holiday photos 2026.zip";
const QUERY: &str = "holiday photos 2026";
/// After the last search, results have so long to arrive.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// How often peers hear a search where crowds of different numbers are compared, all of them together in a second. It
/// is what 20 searches a second are over 1,000 peers. What a search costs goes with how many hear it, so the same rate
/// for any number of peers would compare different loads; and the highest rate that can be had tells more of how fast
/// simulated peers are on the same processors.
const HEARD_A_SECOND: u32 = 20_000;
/// There, for so long.
pub(crate) const SHORTLY: Duration = Duration::from_secs(12);
/// With few peers they hear less: each of those who answer has a budget of 50 answers a second.
const EVERY_MIN: Duration = Duration::from_millis(50);

/// From search to search, for so many peers.
pub(crate) fn pace_for(peers: usize) -> Duration {
    let every = Duration::from_secs(1) * u32::try_from(peers).unwrap_or(u32::MAX) / HEARD_A_SECOND;
    every.max(EVERY_MIN)
}

/// How many peers there are beside the crowd, to search and to answer.
pub(crate) fn actors(every: Duration) -> usize {
    ANSWERERS + searchers(every)
}

fn searchers(every: Duration) -> usize {
    usize::try_from(SEARCHER_RESTS.as_nanos().div_ceil(every.as_nanos().max(1))).unwrap_or(usize::MAX)
}

/// What came of it.
pub(crate) struct Sustained {
    pub(crate) every: Duration,
    pub(crate) searches: usize,
    /// Results that did not arrive.
    pub(crate) lost: usize,
    /// From each search to its first result.
    first: Vec<Duration>,
    /// Of the server, from the first search to the last.
    pub(crate) processor: Duration,
    /// What it had resident, after each search.
    pub(crate) memory: Vec<u64>,
}

impl Sustained {
    pub(crate) fn first_result(&self, percent: usize) -> Duration {
        percentile(&self.first, percent).unwrap_or_default()
    }
}

#[derive(Default)]
struct Results {
    opened: RefCell<HashMap<SearchId, Instant>>,
    first: RefCell<Vec<Duration>>,
    counts: RefCell<HashMap<SearchId, usize>>,
    /// Each answerer's once.
    arrived: Cell<usize>,
    changed: Notify,
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
        if *count <= ANSWERERS {
            self.arrived.set(self.arrived.get() + 1);
            self.changed.notify_one();
        }
    }

    async fn until_arrived(&self, results: usize) {
        while self.arrived.get() < results {
            self.changed.notified().await;
        }
    }
}

/// Searches for a while with peers of its own, beside a crowd that is there already and hears everything. All
/// numbers from the double of the crowd's on are free.
pub(crate) async fn search(
    server: &Server,
    local: &LocalSet,
    crowd: usize,
    every: Duration,
    duration: Duration,
) -> Result<Sustained> {
    let results = Rc::new(Results::default());
    let mut strangers = (2 * crowd.max(1)..).map(|number| Peer::new(number, server.address));
    for mut peer in strangers.by_ref().take(ANSWERERS) {
        peer.connect().await?;
        local.spawn_local(answer_all(peer));
    }
    let mut bells = Vec::new();
    for mut polling in strangers.take(searchers(every)) {
        polling.connect().await?;
        let (searching, bell) = (polling.same_session(), Rc::new(Notify::new()));
        local.spawn_local(search_at_the_bell(searching, Rc::clone(&bell), Rc::clone(&results)));
        local.spawn_local(hear_results(polling, Rc::clone(&results)));
        bells.push(bell);
    }
    server.until_parked(crowd + actors(every)).await?;
    let (processor, memory) = ring(server, &bells, every, duration).await?;
    // What has not come by then is lost.
    let expected = memory.len() * ANSWERERS;
    let _ = timeout(LAST_WAIT, results.until_arrived(expected)).await;
    Ok(Sustained {
        every,
        searches: memory.len(),
        lost: expected.saturating_sub(results.arrived.get()),
        first: results.first.take(),
        processor,
        memory,
    })
}

/// Has the searchers search in turns; tells processor time, and memory after each search.
async fn ring(
    server: &Server,
    bells: &[Rc<Notify>],
    every: Duration,
    duration: Duration,
) -> Result<(Duration, Vec<u64>)> {
    let (start, processor_before) = (clock::now(), server.cpu()?);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut memory = Vec::new();
    for bell in bells.iter().cycle() {
        ticks.tick().await;
        if start.elapsed() >= duration {
            break;
        }
        bell.notify_one();
        memory.push(server.resident()?);
    }
    Ok((server.cpu()?.saturating_sub(processor_before), memory))
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
