//! Whole folders from one daemon to another, whatever comes between.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::Duration,
};

use hearsay_tests::{
    content::{Folder, digest, names_in},
    disk::SmallDisk,
    peer::{Peer, PeerBuilder},
    scene::Scene,
    slow_link::SlowLink,
    steering::PIECE,
    wait::PATIENCE,
};
use protocol::control::{Cause, Download, DownloadState, Downloads, ExitCode, FolderProgress};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// Whoever has the folder is searched for.
const RECOVERY: Duration = Duration::from_mins(1);
/// What goes over a link for a stream beside the bytes of files, and what is in flight when it ends.
const OVERHEAD_PER_STREAM: u64 = 1 << 20;
/// The same of one over which nothing is asked for: far less than the small files.
const STREAM_WITHOUT_FILES: u64 = 64 << 10;
const SMALL_FILES: usize = 40;
const SMALL: usize = 10_000;
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

/// Who has an album and offers it as a whole.
async fn offering(scene: &Scene, username: &str, files: &Folder) -> Peer {
    let mut peer = scene.peer(username).connected().await;
    let path = files.path().display().to_string();
    let _ = peer.peerctl(&["share", "add", "--folders", &path]).await.expect(ExitCode::Done);
    peer.wait_for_status("offers its files", PATIENCE, |status| {
        !status.scanning && status.shared_files == FILES as u64
    })
    .await;
    peer
}

fn must_be_the_album(folder: &Path, files: &Folder) {
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

struct Stage {
    scene: Scene,
    files: Folder,
    anna: Peer,
    bert: Peer,
    link: SlowLink,
}

impl Stage {
    /// Bert may fetch the album from anna over a slow link.
    async fn with(seed: u64, bert: impl FnOnce(PeerBuilder) -> PeerBuilder) -> Self {
        let scene = Scene::start().await;
        let files = album(seed);
        let anna = offering(&scene, "anna", &files).await;
        let link = SlowLink::start(BYTES_PER_SECOND).await;
        let bert = bert(scene.peer("bert")).connected_behind(&link).await;
        Self { scene, files, anna, bert, link }
    }

    async fn begin(&self) -> Download {
        self.bert.begin_result(&find_album(&self.bert).await).await
    }

    /// The first small files are there, and so many pieces of the large one have come.
    async fn wait_for_pieces(&self, download: &Download, pieces: usize) -> Download {
        let bytes = (SMALL_FILES * SMALL + pieces * PIECE) as u64;
        let is_there = |now: &Download| now.received >= bytes || now.state.has_ended();
        let so_far = self.bert.wait_for_download(download, "comes", PATIENCE, is_there).await;
        let finished = so_far.folder.map_or(0, |folder| folder.finished);
        assert_eq!((so_far.state, finished), (DownloadState::Transferring, SMALL_FILES as u64), "{so_far:?}");
        so_far
    }

    /// The album arrives by itself, and at most a piece for each time that it was stopped came twice.
    async fn arrives(self, download: &Download, stops: u64) {
        let Self { scene, files, anna, bert, link } = self;
        link.runs_at(u32::MAX);
        let ended = bert.wait_for_download(download, "arrives", RECOVERY, |now| now.state.has_ended()).await;
        assert_eq!(ended.state, DownloadState::Finished, "{ended:?}");
        let all = FolderProgress { files: FILES as u64, finished: FILES as u64 };
        assert_eq!((ended.folder, ended.received), (Some(all), BYTES as u64), "{ended:?}");
        must_be_the_album(&bert.downloaded("album"), &files);
        assert_eq!(bert.downloaded_names(), ["album"], "and nothing beside it");
        let allowed = BYTES as u64 + stops * PIECE as u64 + (stops + 1) * OVERHEAD_PER_STREAM;
        assert!(link.passed() <= allowed, "{} bytes came, {allowed} are allowed", link.passed());
        for peer in [anna, bert] {
            peer.stop().await;
        }
        scene.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_outlives_kills_and_a_pause() {
    let mut stage = Stage::with(31, |bert| bert).await;
    let download = stage.begin().await;
    stage.wait_for_pieces(&download, 2).await;
    stage.bert = stage.bert.kill_and_start_again().await;
    stage.wait_for_pieces(&download, 4).await;
    let paused = stage.bert.change("pause", &download).await;
    assert!(paused.received >= (SMALL_FILES * SMALL + 4 * PIECE) as u64, "{paused:?}");
    assert_eq!(stage.bert.downloaded_names(), ["album.part"]);
    stage.bert.change("resume", &download).await;
    stage.wait_for_pieces(&download, 5).await;
    stage.anna = stage.anna.kill_and_start_again().await;
    stage.arrives(&download, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_same_folder_takes_over_and_a_link_leads_to_it() {
    let stage = Stage::with(32, |bert| bert).await;
    let path = stage.files.path().join("album").display().to_string();
    let link = stage.anna.peerctl(&["link", &path]).await.expect(ExitCode::Done);
    let begun = stage.bert.peerctl(&["--json", "get", "--detach", link.stdout.trim()]).await;
    let download = begun.expect(ExitCode::Done).document::<Downloads>().downloads.remove(0);
    assert!(download.folder.is_some(), "{download:?}");
    stage.wait_for_pieces(&download, 2).await;
    let Stage { scene, files, anna, bert, link } = stage;
    let berta = offering(&scene, "berta", &files).await;
    drop(anna.kill().await);
    let stage = Stage { scene, files, anna: berta, bert, link };
    stage.arrives(&download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_is_waited_for() {
    let Some(disk) = SmallDisk::mount(LARGE_ENOUGH) else { return };
    let stage = Stage::with(33, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = stage.begin().await;
    let so_far = stage.wait_for_pieces(&download, 2).await;
    disk.fill();
    let is_held = |now: &Download| now.state == DownloadState::Paused || now.state.has_ended();
    let held = stage.bert.wait_for_download(&download, "waits for the disk", PATIENCE, is_held).await;
    assert_eq!((held.state, held.cause), (DownloadState::Paused, Some(Cause::NoSpace)), "{held:?}");
    assert!(held.received >= so_far.received, "what was received is lost: {held:?}");
    disk.make_room();
    stage.arrives(&download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_folder_leaves_only_what_is_not_its_own() {
    let mut stage = Stage::with(34, |bert| bert).await;
    let download = stage.begin().await;
    stage.wait_for_pieces(&download, 2).await;
    stage.bert.change("cancel", &download).await;
    assert_eq!(stage.bert.downloaded_names(), [""; 0]);

    // The same after a crash, with a link where a folder is to be and a person's own file.
    let elsewhere = Folder::new();
    stage.bert.change("retry", &download).await;
    let part = stage.bert.downloaded("album.part");
    let some = |now: &Download| now.folder.is_some_and(|folder| folder.finished > 3);
    stage.bert.wait_for_download(&download, "comes", PATIENCE, some).await;
    stage.link.runs_at(1);
    stage.bert = stage.bert.kill_and_start_again().await;
    let _ = fs::remove_dir_all(part.join("disc"));
    symlink(elsewhere.path(), part.join("disc")).unwrap();
    fs::write(part.join("own"), "mine").unwrap();
    stage.link.runs_at(BYTES_PER_SECOND);
    stage.wait_for_pieces(&download, 2).await;
    stage.bert = stage.bert.kill_and_start_again().await;
    stage.bert.change("rm", &download).await;
    assert_eq!(names_in(elsewhere.path()), [""; 0], "a link was followed");
    assert_eq!(names_in(&part), ["disc (2)", "own"]);
    fs::remove_dir_all(part).unwrap();
    let Stage { scene, anna, bert, .. } = stage;
    for peer in [anna, bert] {
        peer.stop().await;
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_treated_as_asked_for() {
    let scene = Scene::start().await;
    let files = album(35);
    let anna = offering(&scene, "anna", &files).await;
    let bert = scene.peer("bert").connected().await;
    let own = bert.downloaded("album/disc/own");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::write(&own, "mine").unwrap();
    fs::write(bert.downloaded("album/disc/b"), "another").unwrap();
    let number = find_album(&bert).await;
    let skipped = bert.get(&[&number, "--conflict", "skip"]).await;
    let _ = skipped.expect(ExitCode::Conflict);
    let _ = bert.get(&[&number, "--conflict", "rename"]).await.expect(ExitCode::Done);
    must_be_the_album(&bert.downloaded("album (2)"), &files);
    assert_eq!(fs::read(bert.downloaded("album/disc/b")).unwrap(), b"another");
    let _ = bert.get(&[&number, "--conflict", "overwrite"]).await.expect(ExitCode::Done);
    must_be_the_album(&bert.downloaded("album"), &files);
    assert_eq!(fs::read(&own).unwrap(), b"mine");
    assert_eq!(bert.downloaded_names(), ["album", "album (2)"]);
    let shown = bert.peerctl(&["downloads"]).await.expect(ExitCode::Done).stdout;
    assert!(shown.contains("album (2)/ (82 of 82 files)"), "{shown}");
    for peer in [anna, bert] {
        peer.stop().await;
    }
    scene.stop().await;
}

/// A folder that can't be written to ends the merge in its middle, and then so does a crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_cut_off_goes_on_where_it_was() {
    let Stage { scene, files, anna, bert, link } = Stage::with(36, PeerBuilder::without_privileges).await;
    let disc = bert.downloaded("album/disc");
    fs::create_dir_all(&disc).unwrap();
    fs::write(disc.join("own"), "mine").unwrap();
    fs::set_permissions(&disc, Permissions::from_mode(0o555)).unwrap();
    let number = find_album(&bert).await;
    let begun = bert.peerctl(&["--json", "get", &number, "--detach", "--conflict", "overwrite"]).await;
    let download = begun.expect(ExitCode::Done).document::<Downloads>().downloads.remove(0);
    link.runs_at(u32::MAX);
    let is_held = |now: &Download| now.state == DownloadState::Paused || now.state.has_ended();
    let held = bert.wait_for_download(&download, "waits for the disk", PATIENCE, is_held).await;
    assert_eq!((held.state, held.cause), (DownloadState::Paused, Some(Cause::Permission)), "{held:?}");
    assert!(bert.downloaded("album/a 00").exists() && bert.downloaded("album.part/disc/b").exists());

    let killed = bert.kill().await;
    let passed = link.passed();
    fs::set_permissions(&disc, Permissions::from_mode(0o755)).unwrap();
    let bert = killed.start_again().await;
    let ended = bert.wait_for_download(&download, "arrives", RECOVERY, |now| now.state.has_ended()).await;
    assert_eq!(ended.state, DownloadState::Finished, "{ended:?}");
    must_be_the_album(&bert.downloaded("album"), &files);
    assert_eq!(fs::read(disc.join("own")).unwrap(), b"mine");
    assert_eq!(bert.downloaded_names(), ["album"]);
    let again = link.passed() - passed;
    assert!(again < STREAM_WITHOUT_FILES, "{again} bytes came for what was there");
    for peer in [anna, bert] {
        peer.stop().await;
    }
    scene.stop().await;
}
