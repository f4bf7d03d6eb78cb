//! Whole folders from one daemon to another, whatever comes between.

use std::{
    fs::{self, OpenOptions, Permissions},
    os::unix::fs::{FileExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use hearsay_tests::{
    content::{Folder, digest, files_below, names_in},
    disk::SmallDisk,
    pair::Pair,
    peer::{Killed, Peer, PeerBuilder},
    scene::Scene,
    steering::PIECE,
    wait::PATIENCE,
};
use protocol::control::{Cause, Download, DownloadState, Downloads, ExitCode, FolderProgress};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// What goes over a link for a stream over which nothing is asked for: far less than the small files.
const STREAM_WITHOUT_FILES: u64 = 64 << 10;
const SMALL_FILES: usize = 40;
/// Those before the large one are more together than what may come again.
const SMALL: usize = 80_000;
const LARGE: usize = 8 * PIECE + 1_234;
const FILES: usize = 2 * SMALL_FILES + 2;
const BYTES: usize = 2 * SMALL_FILES * SMALL + LARGE;
/// Has room for the folder and the daemon's reserve.
const LARGE_ENOUGH: u32 = 36;

/// An album: small files, then a large one, then small files again, and an empty one.
fn album(seed: u64) -> Folder {
    let mut files = Folder::new().with("album/disc/empty/empty", "");
    for number in 0..SMALL_FILES {
        let seed = seed + number as u64;
        files = files.with_random(&format!("album/a {number:02}"), SMALL, seed);
        files = files.with_random(&format!("album/disc/c {number:02}"), SMALL, seed + SMALL_FILES as u64);
    }
    files.with_random("album/disc/b", LARGE, seed)
}

fn paths() -> impl Iterator<Item = String> {
    let small = (0..SMALL_FILES).flat_map(|number| [format!("a {number:02}"), format!("disc/c {number:02}")]);
    small.chain(["disc/b".to_owned(), "disc/empty/empty".to_owned()])
}

/// Has the album offered as a whole.
async fn offers(peer: &mut Peer, files: &Folder) {
    let path = files.path().display().to_string();
    let _ = peer.peerctl(&["share", "add", "--folders", &path]).await.expect(ExitCode::Done);
    peer.wait_for_status("offers its files", PATIENCE, |status| {
        !status.scanning && status.shared_files == FILES as u64
    })
    .await;
}

/// All of the album, and beside it only what is named.
fn must_be_the_album(folder: &Path, files: &Folder, beside: &[&str]) {
    let mut all: Vec<_> = paths().chain(beside.iter().map(|&path| path.to_owned())).collect();
    all.sort();
    assert_eq!(files_below(folder), all);
    for path in paths() {
        assert_eq!(digest(&folder.join(&path)), files.digest(&format!("album/{path}")), "{path}");
    }
}

/// The number of the result that is a folder.
async fn find_album(peer: &Peer) -> String {
    let found = peer.search("album").await;
    let folder = found.results.iter().find(|result| result.folder.is_some());
    folder.unwrap_or_else(|| panic!("{found:#?}")).number.to_string()
}

/// Bert may fetch the album from anna.
async fn pair(seed: u64, bert: impl FnOnce(PeerBuilder) -> PeerBuilder) -> Pair {
    let mut pair = Pair::configured(BYTES_PER_SECOND, album(seed), |anna| anna, bert).await;
    offers(&mut pair.anna, &pair.files).await;
    pair
}

async fn begin(bert: &Peer) -> Download {
    bert.begin_result(&find_album(bert).await).await
}

/// The link carries the first small files and so many pieces of the large one, and stands still in the middle of the
/// next one.
fn stands_still_after(pair: &Pair, pieces: usize) {
    pair.link.stands_still_after((SMALL_FILES * SMALL + pieces * PIECE + PIECE / 2) as u64);
}

/// Bert fetches the album, and so much of it has come.
async fn under_way(pair: &Pair, pieces: usize) -> Download {
    stands_still_after(pair, pieces);
    let download = begin(&pair.bert).await;
    wait_for_pieces(&pair.bert, &download, pieces).await;
    download
}

/// The first small files are there, and so many pieces of the large one have come.
async fn wait_for_pieces(bert: &Peer, download: &Download, pieces: usize) -> Download {
    let bytes = (SMALL_FILES * SMALL + pieces * PIECE) as u64;
    let is_there = |now: &Download| now.received >= bytes || now.state.has_ended();
    let so_far = bert.wait_for_download(download, "comes", PATIENCE, is_there).await;
    let finished = so_far.folder.map_or(0, |folder| folder.finished);
    assert_eq!((so_far.state, finished), (DownloadState::Transferring, SMALL_FILES as u64), "{so_far:?}");
    so_far
}

/// The album arrives by itself, and at most a piece for each time that it was stopped came twice.
async fn arrives(pair: Pair, download: &Download, stops: u64) {
    pair.link.runs_at(u32::MAX);
    let ended = pair.arrives(download, stops).await;
    let all = FolderProgress { files: FILES as u64, finished: FILES as u64 };
    assert_eq!((ended.folder, ended.received), (Some(all), BYTES as u64), "{ended:?}");
    must_be_the_album(&pair.bert.downloaded("album"), &pair.files, &[]);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_outlives_kills_and_a_pause() {
    let mut pair = pair(31, |bert| bert).await;
    let download = under_way(&pair, 2).await;
    let killed = pair.bert.kill().await;
    pair.link.stands_still_after_pieces(2);
    pair.bert = killed.start_again().await;
    wait_for_pieces(&pair.bert, &download, 4).await;
    let paused = pair.bert.change("pause", &download).await;
    assert!(paused.received >= (SMALL_FILES * SMALL + 4 * PIECE) as u64, "{paused:?}");
    assert_eq!(pair.bert.downloaded_names(), ["album.part"]);
    pair.link.stands_still_after_pieces(1);
    pair.bert.change("resume", &download).await;
    wait_for_pieces(&pair.bert, &download, 5).await;
    let killed = pair.anna.kill().await;
    pair.link.runs_at(u32::MAX);
    pair.anna = killed.start_again().await;
    arrives(pair, &download, 3).await;
}

/// Of a folder under way both peers are killed, and only bert comes back.
struct Orphaned {
    scene: Scene,
    files: Folder,
    download: Download,
    bert: Killed,
    /// The folder that is not whole yet.
    part: PathBuf,
}

impl Orphaned {
    async fn new(seed: u64) -> Self {
        let pair = pair(seed, |bert| bert).await;
        let download = under_way(&pair, 2).await;
        let Pair { scene, files, anna, bert, link: _link } = pair;
        let part = bert.downloaded("album.part");
        let bert = bert.kill().await;
        drop(anna.kill().await);
        Self { scene, files, download, bert, part }
    }

    /// Puts these files of the album where they are to be.
    fn receives(&self, paths: impl Iterator<Item = String>) {
        fs::create_dir_all(self.part.join("disc/empty")).unwrap();
        for path in paths {
            fs::copy(self.files.path().join("album").join(&path), self.part.join(&path)).unwrap();
        }
    }

    async fn finishes_alone(self) {
        let bert = self.bert.start_again().await;
        bert.finish(&self.download).await;
        assert_eq!(bert.downloaded_names(), ["album"]);
        must_be_the_album(&bert.downloaded("album"), &self.files, &[]);
        bert.stop().await;
        self.scene.stop().await;
    }
}

/// As after a crash just before the folder was to get its name.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_all_there_is_finished_without_its_source() {
    let orphaned = Orphaned::new(36).await;
    fs::rename(orphaned.part.join("disc/b.part"), orphaned.part.join("disc/b")).unwrap();
    orphaned.receives(paths());
    orphaned.finishes_alone().await;
}

/// First more of the large one than was recorded, and then all: a crash can come between the disk and the record.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_of_a_folder_is_looked_at_without_its_source() {
    let mut orphaned = Orphaned::new(37).await;
    let large = orphaned.files.read("album/disc/b");
    let part = OpenOptions::new().write(true).open(orphaned.part.join("disc/b.part")).unwrap();
    part.write_all_at(&large[..6 * PIECE], 0).unwrap();
    let bert = orphaned.bert.start_again().await;
    let is_looked_at = |now: &Download| now.received == (SMALL_FILES * SMALL + 6 * PIECE) as u64;
    bert.wait_for_download(&orphaned.download, "is looked at", PATIENCE, is_looked_at).await;
    orphaned.bert = bert.kill().await;

    part.write_all_at(&large[6 * PIECE..], 6 * PIECE as u64).unwrap();
    orphaned.receives(paths().filter(|path| path != "disc/b"));
    orphaned.finishes_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_same_folder_takes_over_and_a_link_leads_to_it() {
    let mut pair = pair(32, |bert| bert).await;
    stands_still_after(&pair, 2);
    let path = pair.files.path().join("album").display().to_string();
    let link = pair.anna.peerctl(&["link", &path]).await.expect(ExitCode::Done);
    let begun = pair.bert.peerctl(&["--json", "get", "--detach", link.stdout.trim()]).await;
    let download = begun.expect(ExitCode::Done).document::<Downloads>().downloads.remove(0);
    assert!(download.folder.is_some(), "{download:?}");
    wait_for_pieces(&pair.bert, &download, 2).await;
    let mut berta = pair.scene.peer("berta").connected().await;
    offers(&mut berta, &pair.files).await;
    drop(std::mem::replace(&mut pair.anna, berta).kill().await);
    arrives(pair, &download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_is_waited_for() {
    let disk = SmallDisk::mount(LARGE_ENOUGH);
    let pair = pair(33, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = under_way(&pair, 2).await;
    let so_far = pair.bert.downloads().await.remove(0);
    disk.fill();
    pair.link.runs_at(BYTES_PER_SECOND);
    let held = pair.bert.held_by_the_disk(&download, Cause::NoSpace).await;
    assert!(held.received >= so_far.received, "what was received is lost: {held:?}");
    disk.make_room();
    arrives(pair, &download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_folder_leaves_only_what_is_not_its_own() {
    let mut pair = pair(34, |bert| bert).await;
    let download = under_way(&pair, 2).await;
    pair.bert.change("cancel", &download).await;
    assert_eq!(pair.bert.downloaded_names(), [""; 0]);

    // The same after a crash, with a link where a folder is to be and a person's own file.
    let elsewhere = Folder::new().with("c 00", "as one of the album is called");
    let half = SMALL_FILES / 2;
    pair.link.stands_still_after((half * SMALL) as u64);
    pair.bert.change("retry", &download).await;
    let part = pair.bert.downloaded("album.part");
    let some = |now: &Download| now.folder.is_some_and(|folder| folder.finished >= half as u64 - 1);
    pair.bert.wait_for_download(&download, "comes", PATIENCE, some).await;
    let killed = pair.bert.kill().await;
    let _ = fs::remove_dir_all(part.join("disc"));
    symlink(elsewhere.path(), part.join("disc")).unwrap();
    fs::write(part.join("own"), "mine").unwrap();
    // Of the small files, some were still on their way.
    pair.link.stands_still_after((SMALL_FILES * SMALL + 3 * PIECE) as u64);
    pair.bert = killed.start_again().await;
    wait_for_pieces(&pair.bert, &download, 2).await;
    assert_eq!(names_in(elsewhere.path()), ["c 00"], "a link was followed");
    pair.bert = pair.bert.kill_and_start_again().await;
    pair.bert.change("rm", &download).await;
    assert_eq!(elsewhere.read("c 00"), b"as one of the album is called", "a link was followed");
    assert_eq!(names_in(&part), ["disc (2)", "own"]);
    fs::remove_dir_all(part).unwrap();
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_treated_as_asked_for() {
    let pair = pair(35, |bert| bert).await;
    pair.link.runs_at(u32::MAX);
    let bert = &pair.bert;
    let own = bert.downloaded("album/disc/own");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "mine").unwrap();
    fs::write(bert.downloaded("album/disc/b"), "another").unwrap();
    let number = find_album(bert).await;
    let skipped = bert.get(&[&number, "--conflict", "skip"]).await;
    let _ = skipped.expect(ExitCode::Conflict);
    let _ = bert.get(&[&number, "--conflict", "rename"]).await.expect(ExitCode::Done);
    must_be_the_album(&bert.downloaded("album (2)"), &pair.files, &[]);
    assert_eq!(fs::read(bert.downloaded("album/disc/b")).unwrap(), b"another");
    let _ = bert.get(&[&number, "--conflict", "overwrite"]).await.expect(ExitCode::Done);
    must_be_the_album(&bert.downloaded("album"), &pair.files, &["disc/own"]);
    assert_eq!(fs::read(&own).unwrap(), b"mine");
    assert_eq!(bert.downloaded_names(), ["album", "album (2)"]);
    let shown = bert.peerctl(&["downloads"]).await.expect(ExitCode::Done).stdout;
    assert!(shown.contains("album (2)/ (82 of 82 files)"), "{shown}");
    pair.stop().await;
}

/// A folder that can't be written to ends the merge in its middle, and then so does a crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_cut_off_goes_on_where_it_was() {
    let mut pair = pair(36, PeerBuilder::without_privileges).await;
    let bert = &pair.bert;
    let disc = bert.downloaded("album/disc");
    fs::create_dir_all(&disc).unwrap();
    fs::write(disc.join("own"), "mine").unwrap();
    fs::set_permissions(&disc, Permissions::from_mode(0o555)).unwrap();
    let number = find_album(bert).await;
    let begun = bert.peerctl(&["--json", "get", &number, "--detach", "--conflict", "overwrite"]).await;
    let download = begun.expect(ExitCode::Done).document::<Downloads>().downloads.remove(0);
    pair.link.runs_at(u32::MAX);
    bert.held_by_the_disk(&download, Cause::Permission).await;
    assert!(bert.downloaded("album/a 00").exists() && bert.downloaded("album.part/disc/b").exists());

    let killed = pair.bert.kill().await;
    let passed = pair.link.passed();
    fs::set_permissions(&disc, Permissions::from_mode(0o755)).unwrap();
    pair.bert = killed.start_again().await;
    pair.arrives(&download, 1).await;
    let again = pair.link.passed() - passed;
    assert!(again < STREAM_WITHOUT_FILES, "{again} bytes came for what was there");
    must_be_the_album(&pair.bert.downloaded("album"), &pair.files, &["disc/own"]);
    assert_eq!(fs::read(disc.join("own")).unwrap(), b"mine");
    pair.stop().await;
}
