//! Fifty peers come, search and vanish without a word for 20 s; a running search and a running transfer notice
//! nothing.

use std::{collections::HashSet, time::Duration};

use hearsay_tests::{
    clock, content::Folder, pair::Pair, peer::Peer, session::Session, steering::PIECE, wait::PATIENCE,
};
use protocol::control::{Download, DownloadState};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const CHURN: Duration = Duration::from_secs(20);
/// On a slow machine the churn lasts longer.
const ROUNDS_MIN: usize = 3;
const CHURNING_PEERS: usize = 50;
/// So slow that the file is under way for far longer than the churn lasts.
const BYTES_PER_SECOND: u32 = 512 * 1024;
const FILE: usize = 60 * PIECE + 5;

/// One place that is taken again and again by a new peer: each searches, and vanishes during a poll.
async fn come_and_vanish(url: String, place: usize, over: CancellationToken) -> usize {
    let mut lives = 0;
    while !over.is_cancelled() {
        let session = Session::connect(&url, &format!("guest.{place}.{lives}")).await;
        session.search(&format!("what guest {place} wants")).await;
        session.vanish(Duration::from_millis(100 + 7 * place as u64)).await;
        lives += 1;
    }
    lives
}

/// Must find both sources, while the transfer goes on.
async fn search_and_look(seeker: &Peer, bert: &Peer, download: &Download, before: u64) -> u64 {
    let found = seeker.search("evergreen").await;
    let sources: HashSet<&str> = found.results.iter().map(|result| result.username.as_str()).collect();
    assert_eq!(sources, HashSet::from(["anna", "carl"]), "{found:#?}");
    let goes_on = |now: &Download| now.received > before || now.state.has_ended();
    let now = bert.wait_for_download(download, "goes on", PATIENCE, goes_on).await;
    assert_eq!(now.state, DownloadState::Transferring, "{now:?}");
    now.received
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_peers_that_come_and_vanish_disturb_neither_search_nor_transfer() {
    let files = Folder::new().with_random("evergreen forest.bin", FILE, 5);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let of_carl = Folder::new().with("evergreen.txt", "green");
    let carl = pair.scene.peer("carl").sharing(of_carl.path()).connected().await;
    let seeker = pair.scene.peer("seeker").connected().await;
    let download = pair.bert.begin("evergreen forest").await;

    let (mut guests, over) = (JoinSet::new(), CancellationToken::new());
    for place in 0..CHURNING_PEERS {
        guests.spawn(come_and_vanish(pair.scene.url(), place, over.clone()));
    }
    let start = clock::now();
    let (mut received, mut rounds) = (0, 0);
    while start.elapsed() < CHURN || rounds < ROUNDS_MIN {
        received = search_and_look(&seeker, &pair.bert, &download, received).await;
        rounds += 1;
    }
    over.cancel();
    let lives: usize = guests.join_all().await.into_iter().sum();
    assert!(lives > 2 * CHURNING_PEERS, "only {lives} lives: that was no churn");

    pair.link.runs_at(u32::MAX);
    pair.arrives(&download, 0).await;
    assert_eq!(pair.bert.digest_of("evergreen forest.bin"), pair.files.digest("evergreen forest.bin"));
    let served = pair.anna.uploads().await;
    assert_eq!(served.len(), 1, "by one stream: {served:#?}");
    let Pair { scene, anna, bert, .. } = pair;
    scene.stop_with([anna, bert, carl, seeker]).await;
}
