//! Fifty peers come, search and vanish without a word for 20 s; a running search and a running transfer notice
//! nothing.

use std::{collections::HashSet, time::Duration};

use hearsay_tests::{
    clock,
    content::Folder,
    peer::{Peer, download_address},
    scene::Scene,
    session::Session,
    slow_link::SlowLink,
};
use protocol::control::DownloadState;
use tokio::task::JoinSet;

const CHURN: Duration = Duration::from_secs(20);
const CHURNING_PEERS: usize = 50;
/// At this rate, the file is under way a little longer than the churn lasts.
const BYTES_PER_SECOND: u32 = 10 << 20;
const FILE: usize = 22 * (BYTES_PER_SECOND as usize);

/// One place that is taken again and again by a new peer: each searches, and vanishes during a poll.
async fn come_and_vanish(url: String, place: usize) -> usize {
    let start = clock::now();
    let mut lives = 0;
    while start.elapsed() < CHURN {
        let session = Session::connect(&url, &format!("guest.{place}.{lives}")).await;
        session.search(&format!("what guest {place} wants")).await;
        session.vanish(Duration::from_millis(100 + 7 * place as u64)).await;
        lives += 1;
    }
    lives
}

/// Fetches the result; gives how long it was under way.
async fn fetch_slowly(fetcher: &Peer, result: &str) -> Duration {
    let start = clock::now();
    let _ = fetcher.fetch(result).await;
    start.elapsed()
}

/// Searches one after the other as long as the churn lasts; each must find both sources.
async fn search_on(seeker: &Peer) -> usize {
    let start = clock::now();
    let mut rounds = 0;
    while start.elapsed() < CHURN {
        let found = seeker.search("evergreen").await;
        let sources: HashSet<&str> = found.results.iter().map(|result| result.username.as_str()).collect();
        assert_eq!(sources, HashSet::from(["anna", "bert"]), "{found:#?}");
        rounds += 1;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_peers_that_come_and_vanish_disturb_neither_search_nor_transfer() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with_random("evergreen forest.bin", FILE, 5);
    let of_bert = Folder::new().with("evergreen.txt", "green");
    let anna = scene.peer("anna").sharing(of_anna.path()).connected().await;
    let bert = scene.peer("bert").sharing(of_bert.path()).connected().await;
    let link = SlowLink::start(BYTES_PER_SECOND).await;
    let fetcher = scene.peer("fetcher").with_public_download_port(link.port()).connected().await;
    link.leads_to(download_address(&fetcher.status().await));
    let seeker = scene.peer("seeker").connected().await;

    let forest = fetcher.search("evergreen forest").await;
    assert_eq!(forest.results.len(), 1, "{forest:#?}");
    let mut guests = JoinSet::new();
    for place in 0..CHURNING_PEERS {
        guests.spawn(come_and_vanish(scene.url(), place));
    }
    let (under_way, rounds, lives) =
        tokio::join!(fetch_slowly(&fetcher, "1"), search_on(&seeker), guests.join_all(),);

    let lives: usize = lives.into_iter().sum();
    assert!(lives > 2 * CHURNING_PEERS, "only {lives} lives: that was no churn");
    assert!(rounds >= 3, "only {rounds} searches in {CHURN:?}");
    assert!(under_way > CHURN, "the transfer was over after {under_way:?}, before the churn was");
    let downloads = fetcher.downloads().await;
    assert_eq!(downloads[0].state, DownloadState::Finished, "{downloads:#?}");
    assert_eq!(fetcher.digest_of("evergreen forest.bin"), of_anna.digest("evergreen forest.bin"));

    for peer in [anna, bert, fetcher, seeker] {
        peer.stop().await;
    }
    scene.stop().await;
}
