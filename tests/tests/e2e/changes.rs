//! A file that changes at its source while it is sent: the requester ends with the cause, never with a mix, and
//! the new version is there for whoever searches again.

use std::{fs, io::Write as _, path::Path};

use hearsay_tests::{content::Folder, pair::Pair, steering::PIECE, wait::PATIENCE};
use protocol::control::{Cause, DownloadState, ExitCode};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// More than what the system takes in on its way beside the pieces that come.
const FILE: usize = 12 * PIECE + 4_321;
const PIECES: usize = 2;

fn rewrite(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"another end", FILE as u64 - 11).unwrap();
}

fn truncate(path: &Path) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
}

fn grow(path: &Path) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
}

fn swap(path: &Path) {
    let other = Folder::new().with_random("other", FILE, 77);
    let beside = path.with_file_name(".other");
    fs::copy(other.path().join("other"), &beside).unwrap();
    fs::rename(beside, path).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// Bert fetches a file, which changes when some of it has come.
async fn ends_with(cause: Cause, change: fn(&Path)) {
    let files = Folder::new().with_random("long.bin", FILE, 71);
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let download = pair.under_way("long", PIECES).await;
    let Pair { scene, files, anna, bert, link } = pair;
    change(&files.path().join("long.bin"));
    link.runs_at(u32::MAX);
    let ended = bert.wait_for_download(&download, "ends", PATIENCE, |now| now.state.has_ended()).await;
    assert_eq!((ended.state, ended.cause), (DownloadState::Failed, Some(cause)), "{ended:?}");
    assert!(!bert.downloaded("long.bin").exists(), "something else came under the name");
    let upload = anna.uploads().await.remove(0);
    assert_eq!(upload.reason.as_deref(), Some("the file changed while it was sent"), "{upload:?}");

    if cause == Cause::SourceChanged {
        let anew = bert.begin("long").await;
        assert_ne!((anew.root, anew.size), (download.root, download.size));
        bert.finish(&anew).await;
        assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    } else {
        let _ = bert.peerctl(&["search", "long"]).await.expect(ExitCode::NotFound);
    }
    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_in_place() {
    ends_with(Cause::SourceChanged, rewrite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated() {
    ends_with(Cause::SourceChanged, truncate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grown() {
    ends_with(Cause::SourceChanged, grow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_by_a_rename() {
    ends_with(Cause::SourceChanged, swap).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted() {
    ends_with(Cause::FileGone, remove).await;
}

/// The same file, which is its root and size, is at another source: it takes over from the verified pieces.
#[tokio::test(flavor = "multi_thread")]
async fn another_source_takes_over() {
    let [files, copies] = ["long.bin", "copy.bin"].map(|name| Folder::new().with_random(name, FILE, 72));
    let pair = Pair::over(BYTES_PER_SECOND, files).await;
    let carl = pair.scene.peer("carl").sharing(copies.path()).connected().await;
    let download = pair.under_way("long", PIECES).await;
    let Pair { scene, files, anna, bert, link } = pair;
    rewrite(&files.path().join("long.bin"));
    link.runs_at(u32::MAX);
    let ended = bert.finish(&download).await;
    assert_eq!(ended.username.as_str(), "carl");
    assert_eq!(bert.digest_of("long.bin"), copies.digest("copy.bin"), "a mix");
    scene.stop_with([anna, bert, carl]).await;
}
