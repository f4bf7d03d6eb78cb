//! A disk that is full, a folder that may not be written, was removed or has lost its disk: downloads wait, say
//! why, and go on by themselves when it is mended.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use hearsay_tests::{
    clock,
    content::{Folder, names_in},
    disk::SmallDisk,
    peer::{Peer, PeerBuilder},
    scene::Scene,
    slow_link::SlowLink,
    steering::PIECE,
    wait::{PATIENCE, stays_so},
};
use protocol::control::{Cause, Download, DownloadState, ExitCode};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 20 * PIECE + 1_234;
/// Has room for the file and the daemon's reserve.
const LARGE_ENOUGH: u32 = 48;
/// Has room for the file, and not for the reserve.
const TOO_SMALL: u32 = 24;
/// What goes over a link for a stream beside the bytes of files, and what is in flight when it ends.
const OVERHEAD_PER_STREAM: u64 = 1 << 20;
/// Longer than the daemon takes to look again at a disk that it waits for.
const SOME_LOOKS: Duration = Duration::from_secs(5);
/// What answers at once takes this long at most on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

struct Stage {
    scene: Scene,
    files: Folder,
    anna: Peer,
    bert: Peer,
    link: SlowLink,
}

impl Stage {
    /// Bert may fetch a file from anna over a slow link.
    async fn with(seed: u64, bert: impl FnOnce(PeerBuilder) -> PeerBuilder) -> Self {
        let scene = Scene::start().await;
        let files = Folder::new().with_random("long.bin", FILE, seed);
        let anna = scene.peer("anna").sharing(files.path()).connected().await;
        let link = SlowLink::start(BYTES_PER_SECOND).await;
        let bert = bert(scene.peer("bert")).connected_behind(&link).await;
        Self { scene, files, anna, bert, link }
    }

    async fn begin_and_wait_for_pieces(&self, pieces: usize) -> Download {
        let download = self.bert.begin("long").await;
        self.bert.wait_for_pieces(&download, pieces).await;
        download
    }

    /// Paused with this cause and a reason; the daemon answers.
    async fn waits(&self, download: &Download, cause: Cause) -> Download {
        let held = self
            .bert
            .wait_for_download(download, "waits for the disk", PATIENCE, |now| {
                now.state == DownloadState::Paused || now.state.has_ended()
            })
            .await;
        assert_eq!((held.state, held.cause), (DownloadState::Paused, Some(cause)), "{held:?}");
        let start = clock::now();
        assert!(self.bert.status().await.connected);
        assert!(start.elapsed() < AT_ONCE, "the daemon took {:?} to answer", start.elapsed());
        held
    }

    /// By itself, without more than a piece that came twice for each time that it was stopped.
    async fn arrives(self, download: &Download, stops: u64) {
        let Self { scene, files, anna, bert, link } = self;
        link.runs_at(u32::MAX);
        bert.finish(download).await;
        assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
        assert_eq!(bert.downloaded_names(), ["long.bin"], "and nothing beside it");
        let allowed = FILE as u64 + stops * PIECE as u64 + (stops + 1) * OVERHEAD_PER_STREAM;
        assert!(link.passed() <= allowed, "{} bytes came, {allowed} are allowed", link.passed());
        anna.stop().await;
        bert.stop().await;
        scene.stop().await;
    }
}

fn reason(download: &Download) -> &str {
    download.reason.as_deref().unwrap_or_default()
}

fn allow(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_under_way_is_waited_for() {
    let Some(disk) = SmallDisk::mount(LARGE_ENOUGH) else { return };
    let stage = Stage::with(61, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = stage.begin_and_wait_for_pieces(3).await;
    disk.fill();
    let held = stage.waits(&download, Cause::NoSpace).await;
    assert!(reason(&held).starts_with("needs ") && reason(&held).contains(" free in "), "{held:?}");
    assert!(held.received >= 3 * PIECE as u64, "what was received is lost: {held:?}");
    let timed_out = stage.bert.peerctl(&["wait", &download.id, "--timeout", "1"]).await;
    assert!(timed_out.expect(ExitCode::NoSpace).stderr.contains("needs "), "the reason is told");
    disk.make_room();
    stage.arrives(&download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_that_has_no_room_and_a_pause_by_a_person_stays_one() {
    let Some(disk) = SmallDisk::mount(TOO_SMALL) else { return };
    let stage = Stage::with(62, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = stage.bert.begin("long").await;
    stage.waits(&download, Cause::NoSpace).await;
    assert_eq!((stage.link.passed(), stage.anna.uploads().await), (0, vec![]), "the source was asked");

    stage.bert.change("resume", &download).await;
    stage.waits(&download, Cause::NoSpace).await;
    let paused = stage.bert.change("pause", &download).await;
    assert_eq!((paused.state, paused.cause), (DownloadState::Paused, None), "{paused:?}");
    disk.resize(LARGE_ENOUGH);
    stays_so("paused by a person", SOME_LOOKS, async || {
        stage.bert.downloads().await[0].state == DownloadState::Paused
    })
    .await;
    stage.bert.change("resume", &download).await;
    stage.arrives(&download, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_removed_under_way_is_not_made_again_and_waited_for() {
    let stage = Stage::with(63, |bert| bert).await;
    let download = stage.begin_and_wait_for_pieces(3).await;
    let folder = stage.bert.downloaded("");
    fs::remove_dir_all(&folder).unwrap();
    stage.waits(&download, Cause::FolderGone).await;
    assert!(!folder.exists(), "the folder was made again");
    fs::create_dir(&folder).unwrap();
    // All of it is to be fetched again: what was there is gone.
    stage.arrives(&download, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_a_disk_is_not_mounted_any_more() {
    let Some(mut disk) = SmallDisk::mount(LARGE_ENOUGH) else { return };
    let mut stage = Stage::with(64, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = stage.begin_and_wait_for_pieces(3).await;
    disk.unmount();
    let held = stage.waits(&download, Cause::FolderGone).await;
    assert!(reason(&held).contains("not mounted"), "{held:?}");

    stage.bert = stage.bert.kill_and_start_again().await;
    stage.bert.wait_until_connected().await;
    stage.bert.change("resume", &download).await;
    stage.waits(&download, Cause::FolderGone).await;
    assert_eq!(names_in(&disk.downloads()), [""; 0], "something was written to the system's own disk");

    disk.mount_again(LARGE_ENOUGH);
    stage.arrives(&download, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_is_waited_for() {
    let stage = Stage::with(65, PeerBuilder::without_privileges).await;
    let folder = stage.bert.downloaded("");
    allow(&folder, 0o555);
    let download = stage.bert.begin("long").await;
    stage.waits(&download, Cause::Permission).await;
    assert_eq!(stage.link.passed(), 0, "the source was asked");

    allow(&folder, 0o755);
    stage.bert.wait_for_pieces(&download, 3).await;
    allow(&folder, 0o555);
    let held = stage.waits(&download, Cause::Permission).await;
    assert!(reason(&held).contains("may not write"), "{held:?}");
    allow(&folder, 0o755);
    stage.arrives(&download, 1).await;
}
