//! What a person limits, and changes while it runs: rates, and whether anything is given at all.

use hearsay_tests::{
    clock,
    content::Folder,
    pair::Pair,
    peer::PeerBuilder,
    steering::PIECE,
    wait::{PATIENCE, until},
};
use protocol::control::{DownloadState, ExitCode, UploadState};

/// A link that is never what holds a transfer up; it counts.
const FREE: u32 = u32::MAX;
/// At the limits below, this would take longer than any test.
const FILE: usize = 64 * PIECE;
const UPLOAD_RATE: u64 = 256 * 1024;
/// What a second's limit leaves open: a moment's credit, and what is under way in sockets.
const SLACK: u64 = 256 * 1024;
/// What the system takes in for a reader that is slow.
const SOCKET_BUFFERS: u64 = 16 * PIECE as u64;

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_held_and_count_at_once() {
    let files = Folder::new().with_random("long.bin", FILE, 61);
    let slow = |anna: PeerBuilder| anna.configured("upload_rate = \"64K\"\n");
    let Pair { scene, files, anna, bert, link } = Pair::configured(FREE, files, slow, |bert| bert).await;
    let told = anna.set("upload_rate", "256K").await;
    assert!(told.stderr.contains("upload_rate is 256K from now on"), "{told:#?}");
    assert_eq!(anna.status().await.upload_rate_max, Some(UPLOAD_RATE));

    assert_eq!(bert.search("long").await.results.len(), 1);
    // From before the first byte on: what waited on its way while this machine was busy was sent in time.
    let start = clock::now();
    let download = bert.begin_result("1").await;
    until("bytes come", PATIENCE, async || (link.passed() > 4 * SLACK).then_some(())).await;
    let came = link.passed();
    let allowed = UPLOAD_RATE * u64::try_from(start.elapsed().as_millis()).unwrap() * 11 / 10_000 + SLACK;
    assert!(came <= allowed, "{came} bytes came in {:?}, {allowed} were allowed", start.elapsed());

    // From one limit to the other, in the same stream.
    let _ = bert.set("download_rate", "1M").await;
    let _ = anna.set("upload_rate", "0").await;
    bert.wait_for_pieces(&download, 3).await;
    let (passed, received) = (link.passed(), bert.downloads().await[0].received);
    assert!(passed < FILE as u64, "all of it came, although {received} bytes were received");
    assert!(passed <= received + SOCKET_BUFFERS, "{passed} bytes came for the {received} received");

    let unset = bert.peerctl(&["config", "unset", "download_rate"]).await.expect(ExitCode::Done);
    assert!(unset.stderr.contains("download_rate is unlimited from now on"), "{unset:#?}");
    bert.finish(&download).await;
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(anna.uploads().await.len(), 1, "it was one stream");

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_off_ends_what_runs_and_on_goes_on_with_it() {
    let files = Folder::new().with_random("long.bin", 12 * PIECE, 62).with("short.txt", "short");
    let Pair { scene, files, anna, bert, link } = Pair::over(FREE, files).await;
    link.crawls_after(2 * PIECE as u64);
    let carl = scene.peer("carl").connected().await;
    let long = bert.begin("long").await;
    bert.wait_for_pieces(&long, 1).await;
    let short = carl.begin("short").await;
    carl.wait_for_download(&short, "waits", PATIENCE, |now| now.position == Some(1)).await;

    let _ = anna.set("uploads", "off").await;
    // What is in the link's buffers already need not crawl out of them.
    link.runs_at(FREE);
    until("the stream ends", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
    assert!(anna.status().await.uploads_off);
    let _ = carl.peerctl(&["search", "short"]).await.expect(ExitCode::NotFound);
    let is_told = |reason: &str| reason.contains("the source gives nothing for now");
    bert.wait_for_download(&long, "is told why it waits", PATIENCE, |now| {
        now.state == DownloadState::Waiting && now.reason.as_deref().is_some_and(is_told)
    })
    .await;
    let uploads = anna.uploads().await;
    assert!(uploads.iter().all(|upload| upload.state != UploadState::Transferring), "{uploads:#?}");
    let waiting = uploads.iter().find(|upload| upload.username.as_str() == "carl").unwrap();
    assert!(waiting.reason.as_ref().unwrap().contains("uploads are off"), "{waiting:?}");

    let _ = anna.set("uploads", "on").await;
    tokio::join!(bert.finish(&long), carl.finish(&short));
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(carl.digest_of("short.txt"), files.digest("short.txt"));

    scene.stop_with([anna, bert, carl]).await;
}
