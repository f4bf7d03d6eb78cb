//! `kill -9`: what was under way goes on by itself, with the same names and without anything lost or doubled.

use std::time::Duration;

use hearsay_tests::{
    api_client::ApiClient,
    clock,
    content::Folder,
    pair::Pair,
    peer::Peer,
    scene::Scene,
    session::claim,
    slow_link::CRAWL,
    steering::PIECE,
    wait::{PATIENCE, RECOVERY},
};
use protocol::{
    Code, SessionToken,
    control::{Download, DownloadState, UploadState},
};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 20 * PIECE + 1_234;

/// Bert fetches from anna, a few pieces have come, and the link stands still.
async fn under_way(seed: u64) -> (Pair, Download) {
    let pair = Pair::over(BYTES_PER_SECOND, Folder::new().with_random("long.bin", FILE, seed)).await;
    let download = pair.under_way("long", 3).await;
    (pair, download)
}

/// Some more of it comes, and the link stands still again.
async fn comes_on(pair: &Pair, download: &Download, before: u64) -> u64 {
    let goes_on = |now: &Download| now.state == DownloadState::Transferring && now.received > before;
    pair.bert.wait_for_download(download, "goes on", RECOVERY, goes_on).await.received
}

/// The file arrives by itself, and of what was there at most a piece for each kill is fetched again.
async fn arrives(pair: Pair, download: &Download, kills: u64) {
    pair.link.runs_at(u32::MAX);
    pair.arrives(download, kills).await;
    assert_eq!(pair.bert.digest_of("long.bin"), pair.files.digest("long.bin"));
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_its_target() {
    let (mut pair, download) = under_way(41).await;
    let killed = pair.anna.kill().await;
    pair.link.runs_at(BYTES_PER_SECOND);
    pair.anna = killed.start_again().await;
    arrives(pair, &download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_its_own_daemon() {
    let (mut pair, download) = under_way(42).await;
    let killed = pair.bert.kill().await;
    pair.link.runs_at(BYTES_PER_SECOND);
    pair.bert = killed.start_again().await;
    arrives(pair, &download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_transfer_does_not_notice_that_the_coordinator_is_killed() {
    let (mut pair, download) = under_way(43).await;
    let stopped = pair.scene.coordinator.kill();
    pair.link.stands_still_after_pieces(3);
    pair.bert.wait_for_pieces(&download, 6).await;
    pair.scene.coordinator = stopped.start_again().await;
    pair.link.runs_at(BYTES_PER_SECOND);
    pair.anna.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    pair.bert.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    let states = pair.bert.stderr();
    assert!(!states.contains("a source could not be used"), "the transfer was disturbed:\n{states}");
    arrives(pair, &download, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_them_all() {
    let (mut pair, download) = under_way(44).await;
    let before = pair.bert.downloads().await[0].received;
    let killed = pair.anna.kill().await;
    pair.link.stands_still_after_pieces(3);
    pair.anna = killed.start_again().await;
    let before = comes_on(&pair, &download, before).await;
    let killed = pair.bert.kill().await;
    pair.link.stands_still_after_pieces(3);
    pair.bert = killed.start_again().await;
    comes_on(&pair, &download, before).await;
    pair.scene = pair.scene.kill_coordinator_and_start_again().await;
    arrives(pair, &download, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_daemon_has_its_name_back_in_seconds_and_no_stranger_can_take_it() {
    let scene = Scene::start().await;
    let anna = scene.peer("anna").connected().await;
    let stranger = ApiClient::to(&scene.url());
    let killed = anna.kill().await;
    let start = clock::now();
    let refused = claim(&stranger, "anna", &SessionToken::random()).await;
    refused.expect_problem(Code::UsernameTaken);
    let mut anna = killed.start_again().await;
    let deadline = Duration::from_secs(5);
    let back = anna.wait_for_status("is back", deadline, |status| status.connected).await;
    assert!(start.elapsed() < deadline, "it took {:?}", start.elapsed());
    assert_eq!(back.username.unwrap().as_str(), "anna");
    claim(&stranger, "anna", &SessionToken::random()).await.expect_problem(Code::UsernameTaken);

    scene.stop_with([anna]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_a_queue_keeps_its_place_over_a_crash_of_the_coordinator() {
    let (Pair { scene, files, mut anna, bert, link }, download) = under_way(45).await;
    link.runs_at(CRAWL);
    let mut carl = scene.peer("carl").connected().await;
    let waiting = carl.begin("long").await;
    carl.wait_for_download(&waiting, "waits", PATIENCE, |now| now.position == Some(1)).await;
    let place = anna.wait_for_upload("waits", |upload| upload.state == UploadState::Queued).await;

    let scene = scene.kill_coordinator_and_start_again().await;
    anna.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    carl.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    let places: Vec<String> = anna
        .uploads()
        .await
        .into_iter()
        .filter(|upload| upload.state == UploadState::Queued && upload.username.as_str() == "carl")
        .map(|upload| upload.id)
        .collect();
    assert_eq!(places, [place.id], "one place, and the same one");

    link.runs_at(u32::MAX);
    tokio::join!(bert.finish(&download), carl.finish(&waiting));
    for peer in [&bert, &carl] {
        assert_eq!(peer.digest_of("long.bin"), files.digest("long.bin"));
        assert_eq!(peer.downloaded_names(), ["long.bin"]);
    }
    let served = anna.uploads().await;
    assert_eq!(served.len(), 2, "one upload each: {served:#?}");

    drop(link);
    scene.stop_with([anna, bert, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_share_is_not_hashed_again() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("long.bin", FILE, 46).with("short.txt", "short");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let scans = |anna: &Peer| -> Vec<String> {
        let log = anna.stderr();
        log.lines().filter(|line| line.contains("scanned the shares")).map(str::to_owned).collect()
    };
    let before = scans(&anna);
    assert!(before[0].contains(&format!("hashed_bytes={}", FILE + 5)), "{before:?}");

    let mut anna = anna.kill_and_start_again().await;
    anna.wait_until_scanned().await;
    anna.wait_until_connected().await;
    let after = scans(&anna);
    assert!(after.len() > before.len(), "{after:?}");
    assert!(after[before.len()..].iter().all(|line| line.contains("hashed_bytes=0")), "{after:?}");
    assert_eq!(anna.status().await.shared_files, 2);

    scene.stop_with([anna]).await;
}
