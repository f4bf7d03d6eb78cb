//! A transfer that both sides look on at.

use hearsay_tests::{content::Folder, pair::Pair, peerctl::Watching, steering::PIECE};
use protocol::control::{DownloadState, Downloads, Route, UploadState, Uploads};

/// Slow enough that the looks of a quarter of a second see it under way.
const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 8 * PIECE;

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_watch_a_transfer_from_its_beginning_to_its_end() {
    let files = Folder::new().with_random("song.bin", FILE, 61);
    let Pair { scene, files: _files, anna, bert, link: _link } = Pair::over(BYTES_PER_SECOND, files).await;

    let (mut giving, first) =
        Watching::start::<Uploads>(&anna.socket(), &["uploads", "--watch", "--ndjson"]).await;
    assert_eq!(first.uploads, []);
    let (mut taking, first) =
        Watching::start::<Downloads>(&bert.socket(), &["downloads", "--watch", "--ndjson"]).await;
    assert_eq!(first.downloads, []);
    let download = bert.begin("song").await;

    let mut sent = Vec::new();
    loop {
        let upload = giving.next::<Uploads>().await.uploads.remove(0);
        assert_eq!((upload.username.as_str(), upload.name.as_str()), ("bert", "song.bin"));
        match upload.state {
            UploadState::Transferring => {
                assert_eq!(upload.route, Some(Route::DialBack));
                sent.push(upload.sent);
            }
            UploadState::Finished => break,
            UploadState::Queued | UploadState::Dialling => {}
            UploadState::Failed => panic!("{upload:?}"),
        }
    }
    let mut received = Vec::new();
    loop {
        let seen = taking.next::<Downloads>().await.downloads.remove(0);
        assert_eq!(seen.id, download.id);
        match seen.state {
            DownloadState::Transferring => {
                assert_eq!(seen.route, Some(Route::DialBack));
                received.push(seen.received);
            }
            DownloadState::Finished => break,
            state => assert!(!state.has_ended(), "{seen:?}"),
        }
    }
    for progress in [&sent, &received] {
        assert!(progress.is_sorted(), "{progress:?}");
        assert!(progress.iter().any(|bytes| (1..FILE as u64).contains(bytes)), "{progress:?}");
    }

    giving.interrupt().await;
    taking.interrupt().await;
    scene.stop_with([anna, bert]).await;
}
