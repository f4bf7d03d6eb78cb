//! What a person does to a download that is under way: pause, resume, cancel, take it off the list, try again.

use std::{fs, time::Duration};

use hearsay_tests::{
    content::Folder,
    pair::Pair,
    steering::PIECE,
    wait::{PATIENCE, stays_so, until},
};
use protocol::control::{Cause, DownloadState, UploadState};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 12 * PIECE + 4_321;
const PAUSE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_download_goes_on_without_fetching_anything_again() {
    let files = Folder::new().with_random("long.bin", FILE, 11);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", 3).await;
    let Pair { scene, files, anna, bert, link } = pair;
    assert_eq!(bert.change("pause", &download).await.state, DownloadState::Paused);
    until("the stream is closed", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
    let (bytes, then) = (link.passed(), bert.downloads().await.remove(0));
    stays_so("paused, and nothing comes", PAUSE, async || {
        link.passed() == bytes && !link.is_in_use() && bert.status().await.download.is_none()
    })
    .await;
    let still = bert.downloads().await.remove(0);
    assert_eq!((still.state, still.received), (DownloadState::Paused, then.received), "{still:?}");
    let original = fs::read(files.path().join("long.bin")).unwrap();
    assert_eq!(still.received, bert.right_bytes_on_disk(&original), "the progress is what is on the disk");

    link.runs_at(BYTES_PER_SECOND);
    bert.change("resume", &download).await;
    bert.finish(&download).await;
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(bert.downloaded_names(), ["long.bin"]);
    link.has_carried(0, FILE as u64, 1);

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_download_leaves_nothing_behind_and_can_be_fetched_anew() {
    let files = Folder::new().with_random("long.bin", FILE, 12);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", 1).await;
    let Pair { scene, files, anna, bert, link } = pair;
    let cancelled = bert.change("cancel", &download).await;
    assert_eq!(cancelled.state, DownloadState::Cancelled);
    assert_eq!(bert.downloaded_names(), [""; 0], "a partial file stays");
    until("the stream is closed", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
    anna.wait_for_upload("has ended", |upload| {
        matches!(upload.state, UploadState::Finished | UploadState::Failed)
    })
    .await;
    assert_eq!(bert.downloads().await[0].received, 0);

    link.stands_still_after_pieces(1);
    bert.change("retry", &download).await;
    bert.wait_for_pieces(&download, 1).await;
    bert.change("rm", &download).await;
    assert_eq!(bert.downloads().await, [], "it is still listed");
    assert_eq!(bert.downloaded_names(), [""; 0], "a partial file stays");

    link.runs_at(BYTES_PER_SECOND);
    let anew = bert.begin("long").await;
    bert.finish(&anew).await;
    bert.change("rm", &anew).await;
    assert_eq!(bert.downloads().await, []);
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"), "a finished file stays where it is");
    assert_eq!(bert.downloaded_names(), ["long.bin"]);

    scene.stop_with([anna, bert]).await;
}

/// As after a crash just before the file was to get its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_all_there_is_finished_without_its_source() {
    let files = Folder::new().with_random("long.bin", FILE, 14);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", 3).await;
    let Pair { scene, files, anna, bert, link: _link } = pair;
    let part = bert.downloaded("long.bin.part");
    let bert = bert.kill().await;
    drop(anna.kill().await);
    fs::copy(files.path().join("long.bin"), part).unwrap();
    let bert = bert.start_again().await;
    bert.finish(&download).await;
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(bert.downloaded_names(), ["long.bin"]);

    bert.stop().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_on_from_what_was_received() {
    let (files, hidden) = (Folder::new().with_random("long.bin", FILE, 13), Folder::new());
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", 3).await;
    let Pair { scene, files, anna, bert, link } = pair;
    bert.change("pause", &download).await;
    fs::rename(files.path().join("long.bin"), hidden.path().join("long.bin")).unwrap();
    link.runs_at(BYTES_PER_SECOND);
    bert.change("resume", &download).await;
    let failed =
        bert.wait_for_download(&download, "fails", PATIENCE, |now| now.state == DownloadState::Failed).await;
    assert_eq!(failed.cause, Some(Cause::FileGone), "{failed:?}");
    assert!(failed.received >= 3 * PIECE as u64, "what was received is lost: {failed:?}");

    fs::rename(hidden.path().join("long.bin"), files.path().join("long.bin")).unwrap();
    let mut anna = anna.kill_and_start_again().await;
    anna.wait_until_scanned().await;
    anna.wait_until_connected().await;
    bert.change("retry", &download).await;
    bert.finish(&download).await;
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(bert.downloaded_names(), ["long.bin"]);
    link.has_carried(0, FILE as u64, 1);

    scene.stop_with([anna, bert]).await;
}
