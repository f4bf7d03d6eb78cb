//! Where a file comes from when its source goes away, and how long one goes on looking.

use hearsay_tests::{
    content::Folder,
    pair::Pair,
    peer::Peer,
    scene::Scene,
    steering::PIECE,
    wait::{PATIENCE, RECOVERY},
};
use protocol::control::{Cause, Download, DownloadState, ExitCode, UploadState, Why};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 12 * PIECE + 77;

fn count(why: &Why, word: &str) -> usize {
    why.steps.iter().filter(|step| step.step == word).count()
}

/// Waits until nobody is left to ask, and the download waits for the next try.
async fn wait_for_next_try(peer: &Peer, download: &Download) -> Download {
    peer.wait_for_download(download, "waits for its next try", RECOVERY, |now| {
        let reason = now.reason.as_deref().unwrap_or_default();
        now.state == DownloadState::Waiting && reason.contains("nobody else was found; next try at ")
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_gone_before_its_first_word_is_waited_for() {
    let scene = Scene::start().await;
    let files = Folder::new().with("notes.txt", "from anna");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;
    assert_eq!(bert.search("notes").await.results.len(), 1);
    let anna = anna.kill().await;

    let download = bert.begin_result("1").await;
    let waiting = wait_for_next_try(&bert, &download).await;
    assert_eq!((waiting.cause, waiting.received), (None, 0), "{waiting:?}");
    let why = bert.why(&download).await;
    assert_eq!((count(&why, "no_word"), count(&why, "no_source_found")), (1, 1), "{why:#?}");
    let next = why.next.expect("it goes on by itself");
    assert!(next.at.is_some(), "{next:?}");

    // Both come back, and nobody does anything about it.
    let bert = bert.kill_and_start_again().await;
    let anna = anna.start_again().await;
    bert.finish(&download).await;
    assert_eq!(bert.digest_of("notes.txt"), files.digest("notes.txt"));

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_for_too_long_is_given_up_with_its_last_cause() {
    let scene = Scene::start().await;
    let files = Folder::new().with("notes.txt", "from anna");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").configured("give_up_after = \"4s\"\n").connected().await;
    assert_eq!(bert.search("notes").await.results.len(), 1);
    anna.stop().await;

    let output = bert.get(&["1"]).await.expect(ExitCode::Unreachable);
    assert!(
        output.stderr.contains("gave no word") && output.stderr.contains("given up after 4 s"),
        "{output:#?}"
    );
    let failed = bert.downloads().await.remove(0);
    assert_eq!((failed.state, failed.cause), (DownloadState::Failed, Some(Cause::SourceGone)), "{failed:?}");
    assert_eq!(bert.downloaded_names(), [""; 0]);

    scene.stop_with([bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_takes_over_from_the_verified_pieces() {
    let files = Folder::new().with_random("long.bin", FILE, 51);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", 3).await;
    let Pair { scene, files, anna, bert, link } = pair;
    let carl = scene.peer("carl").sharing(files.path()).connected().await;

    let _gone = anna.kill().await;
    link.runs_at(BYTES_PER_SECOND);
    let ended = bert.end_of(&download).await;
    assert_eq!((ended.state, ended.username.as_str()), (DownloadState::Finished, "carl"), "{ended:?}");
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    let allowed = (FILE + 2 * PIECE) as u64;
    assert!(link.passed() <= allowed, "{} bytes came", link.passed());
    let why = bert.why(&download).await;
    assert_eq!((count(&why, "stream_lost"), count(&why, "source_found")), (1, 1), "{why:#?}");

    scene.stop_with([carl, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_in_a_queue_asks_under_the_same_introduction() {
    let files = Folder::new().with_random("long.bin", FILE, 52).with("short.txt", "short");
    let Pair { scene, files: _files, anna, bert, link } = Pair::over(BYTES_PER_SECOND, files).await;
    link.crawls_after(2 * PIECE as u64);
    let long = bert.begin("long").await;
    bert.wait_for_pieces(&long, 1).await;
    let carl = scene.peer("carl").connected().await;
    let short = carl.begin("short").await;
    carl.wait_for_download(&short, "waits", PATIENCE, |now| now.position == Some(1)).await;
    let place = anna.wait_for_upload("waits", |upload| upload.state == UploadState::Queued).await;

    let carl = carl.kill_and_start_again().await;
    carl.wait_for_download(&short, "waits again", PATIENCE, |now| now.position == Some(1)).await;
    let kept = anna.wait_for_upload("waits", |upload| upload.state == UploadState::Queued).await;
    assert_eq!(kept.id, place.id, "it came as somebody new");

    link.runs_at(u32::MAX);
    tokio::join!(bert.finish(&long), carl.finish(&short));
    scene.stop_with([anna, bert, carl]).await;
}
