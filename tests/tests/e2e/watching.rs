//! A transfer that both sides look on at.

use hearsay_tests::{content::Folder, pair::Pair, peerctl::Watching, steering::PIECE};
use protocol::control::{Download, DownloadState, Downloads, Route, Upload, UploadState, Uploads};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// More than what the system takes in on its way beside what comes.
const FILE: usize = 12 * PIECE;

async fn next_upload(giving: &mut Watching) -> Upload {
    let upload = giving.next::<Uploads>().await.uploads.remove(0);
    assert_eq!((upload.username.as_str(), upload.name.as_str()), ("bert", "song.bin"));
    assert_ne!(upload.state, UploadState::Failed, "{upload:?}");
    assert!(upload.state != UploadState::Transferring || upload.route == Some(Route::DialBack), "{upload:?}");
    upload
}

async fn next_download(taking: &mut Watching, download: &Download) -> Download {
    let seen = taking.next::<Downloads>().await.downloads.remove(0);
    assert_eq!(seen.id, download.id);
    assert!(seen.state == DownloadState::Finished || !seen.state.has_ended(), "{seen:?}");
    assert!(seen.state != DownloadState::Transferring || seen.route == Some(Route::DialBack), "{seen:?}");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_watch_a_transfer_from_its_beginning_to_its_end() {
    let files = Folder::new().with_random("song.bin", FILE, 61);
    let Pair { scene, files: _files, anna, bert, link } = Pair::over(BYTES_PER_SECOND, files).await;

    let (mut giving, first) =
        Watching::start::<Uploads>(&anna.socket(), &["uploads", "--watch", "--ndjson"]).await;
    assert_eq!(first.uploads, []);
    let (mut taking, first) =
        Watching::start::<Downloads>(&bert.socket(), &["downloads", "--watch", "--ndjson"]).await;
    assert_eq!(first.downloads, []);
    link.stands_still_after_pieces(3);
    let download = bert.begin("song").await;
    let is_under_way = |bytes: &u64| (1..FILE as u64).contains(bytes);
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    while !sent.last().is_some_and(is_under_way) {
        sent.push(next_upload(&mut giving).await.sent);
    }
    while !received.last().is_some_and(is_under_way) {
        received.push(next_download(&mut taking, &download).await.received);
    }

    link.runs_at(BYTES_PER_SECOND);
    while let upload = next_upload(&mut giving).await
        && upload.state != UploadState::Finished
    {
        sent.push(upload.sent);
    }
    while let seen = next_download(&mut taking, &download).await
        && seen.state != DownloadState::Finished
    {
        received.push(seen.received);
    }
    for progress in [&sent, &received] {
        assert!(progress.is_sorted(), "{progress:?}");
    }

    giving.interrupt().await;
    taking.interrupt().await;
    scene.stop_with([anna, bert]).await;
}
