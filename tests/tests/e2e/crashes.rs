//! `kill -9`: what was under way goes on by itself, with the same names and without anything lost or doubled.

use std::time::Duration;

use hearsay_tests::{
    api_client::ApiClient, clock, content::Folder, peer::Peer, scene::Scene, session::claim,
    slow_link::SlowLink, steering::PIECE, wait::PATIENCE,
};
use protocol::{
    Code, SessionToken,
    control::{Download, DownloadState, UploadState},
};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// At this rate a file is under way for as long as a case needs to look around.
const CRAWL: u32 = 256 * 1024;
const FILE: usize = 20 * PIECE + 1_234;
/// What goes over a link for a stream beside the bytes of files, and what is in flight when it breaks off.
const OVERHEAD_PER_STREAM: u64 = 512 * 1024;
/// A lost target is looked for a few times, with growing pauses.
const RECOVERY: Duration = Duration::from_mins(1);

struct Transfer {
    scene: Scene,
    files: Folder,
    anna: Peer,
    bert: Peer,
    link: SlowLink,
    download: Download,
}

impl Transfer {
    /// Bert fetches from anna over a slow link, and a few pieces have come.
    async fn under_way(seed: u64) -> Self {
        let scene = Scene::start().await;
        let files = Folder::new().with_random("long.bin", FILE, seed);
        let anna = scene.peer("anna").sharing(files.path()).connected().await;
        let link = SlowLink::start(BYTES_PER_SECOND).await;
        let bert = scene.peer("bert").connected_behind(&link).await;
        let download = bert.begin("long").await;
        bert.wait_for_pieces(&download, 3).await;
        Self { scene, files, anna, bert, link, download }
    }

    /// The file arrives by itself, and of what was there at most a piece for each kill is fetched again.
    async fn arrives(self, kills: u64) {
        let Self { scene, files, anna, bert, link, download } = self;
        let ended = bert.wait_for_download(&download, "arrives", RECOVERY, |now| now.state.has_ended()).await;
        assert_eq!(ended.state, DownloadState::Finished, "{ended:?}");
        assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
        assert_eq!(bert.downloaded_names(), ["long.bin"], "and nothing beside it");
        let allowed = FILE as u64 + kills * PIECE as u64 + (kills + 1) * OVERHEAD_PER_STREAM;
        let passed = link.passed();
        assert!((FILE as u64..=allowed).contains(&passed), "{passed} bytes came, {allowed} are allowed");
        anna.stop().await;
        bert.stop().await;
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_its_target() {
    let mut transfer = Transfer::under_way(41).await;
    transfer.anna = transfer.anna.kill_and_start_again().await;
    transfer.arrives(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_its_own_daemon() {
    let mut transfer = Transfer::under_way(42).await;
    transfer.bert = transfer.bert.kill_and_start_again().await;
    transfer.arrives(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_transfer_does_not_notice_that_the_coordinator_is_killed() {
    let mut transfer = Transfer::under_way(43).await;
    let stopped = transfer.scene.coordinator.kill();
    let before = transfer.bert.downloads().await.remove(0);
    transfer.bert.wait_for_pieces(&transfer.download, before.received as usize / PIECE + 3).await;
    transfer.scene.coordinator = stopped.start_again().await;
    transfer.anna.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    transfer.bert.wait_for_status("is back", RECOVERY, |status| status.connected).await;
    let states = transfer.bert.stderr();
    assert!(!states.contains("a source could not be used"), "the transfer was disturbed:\n{states}");
    transfer.arrives(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_outlives_them_all() {
    let mut transfer = Transfer::under_way(44).await;
    transfer.anna = transfer.anna.kill_and_start_again().await;
    let download = transfer.download.clone();
    let comes_on = async |bert: &Peer| {
        let before = bert.downloads().await.remove(0).received;
        bert.wait_for_download(&download, "goes on", RECOVERY, |now| {
            now.state == DownloadState::Transferring && now.received > before
        })
        .await
    };
    comes_on(&transfer.bert).await;
    transfer.bert = transfer.bert.kill_and_start_again().await;
    comes_on(&transfer.bert).await;
    transfer.scene = transfer.scene.kill_coordinator_and_start_again().await;
    transfer.arrives(2).await;
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

    anna.stop().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_a_queue_keeps_its_place_over_a_crash_of_the_coordinator() {
    let Transfer { scene, files, mut anna, bert, link, download } = Transfer::under_way(45).await;
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
    for peer in [anna, bert, carl] {
        peer.stop().await;
    }
    scene.stop().await;
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

    anna.stop().await;
    scene.stop().await;
}
