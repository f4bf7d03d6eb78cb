//! A disk that is full, a folder that may not be written, was removed or has lost its disk: downloads wait, say
//! why, and go on by themselves when it is mended.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use hearsay_tests::{
    content::{Folder, names_in},
    disk::SmallDisk,
    pair::Pair,
    peer::{Peer, PeerBuilder},
    steering::PIECE,
    wait::stays_so,
};
use protocol::control::{Cause, Download, DownloadState, ExitCode};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 20 * PIECE + 1_234;
/// Has room for the file and the daemon's reserve.
const LARGE_ENOUGH: u32 = 48;
/// Has room for the file, and not for the reserve.
const TOO_SMALL: u32 = 24;
/// Longer than the daemon takes to look again at a disk that it waits for.
const SOME_LOOKS: Duration = Duration::from_secs(5);

/// Bert may fetch a file from anna.
async fn pair(seed: u64, bert: impl FnOnce(PeerBuilder) -> PeerBuilder) -> Pair {
    let files = Folder::new().with_random("long.bin", FILE, seed);
    Pair::configured(BYTES_PER_SECOND, files, |anna| anna, bert).await
}

/// Paused with this cause and a reason; the daemon answers.
async fn waits(bert: &Peer, download: &Download, cause: Cause) -> Download {
    let held = bert.held_by_the_disk(download, cause).await;
    assert!(bert.status().await.connected);
    let still = bert.held_by_the_disk(download, cause).await;
    assert_eq!(still.received, held.received, "it answered only when it went on");
    held
}

async fn arrives(pair: Pair, download: &Download, stops: u64) {
    arrives_after(0, pair, download, stops).await;
}

async fn arrives_after(passed: u64, pair: Pair, download: &Download, stops: u64) {
    pair.link.runs_at(u32::MAX);
    pair.arrives_after(passed, download, stops).await;
    assert_eq!(pair.bert.digest_of("long.bin"), pair.files.digest("long.bin"));
    pair.stop().await;
}

fn reason(download: &Download) -> &str {
    download.reason.as_deref().unwrap_or_default()
}

fn allow(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_under_way_is_waited_for() {
    let disk = SmallDisk::mount(LARGE_ENOUGH);
    let pair = pair(61, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = pair.under_way("long", 3).await;
    disk.fill();
    pair.link.runs_at(BYTES_PER_SECOND);
    let held = waits(&pair.bert, &download, Cause::NoSpace).await;
    assert!(reason(&held).starts_with("needs ") && reason(&held).contains(" free in "), "{held:?}");
    assert!(held.received >= 3 * PIECE as u64, "what was received is lost: {held:?}");
    let timed_out = pair.bert.peerctl(&["wait", &download.id, "--timeout", "1"]).await;
    assert!(timed_out.expect(ExitCode::NoSpace).stderr.contains("needs "), "the reason is told");
    disk.make_room();
    arrives(pair, &download, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_for_that_has_no_room_and_a_pause_by_a_person_stays_one() {
    let disk = SmallDisk::mount(TOO_SMALL);
    let pair = pair(62, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = pair.bert.begin("long").await;
    waits(&pair.bert, &download, Cause::NoSpace).await;
    assert_eq!((pair.link.passed(), pair.anna.uploads().await), (0, vec![]), "the source was asked");

    pair.bert.change("resume", &download).await;
    waits(&pair.bert, &download, Cause::NoSpace).await;
    let paused = pair.bert.change("pause", &download).await;
    assert_eq!((paused.state, paused.cause), (DownloadState::Paused, None), "{paused:?}");
    disk.resize(LARGE_ENOUGH);
    stays_so("paused by a person", SOME_LOOKS, async || {
        pair.bert.downloads().await[0].state == DownloadState::Paused
    })
    .await;
    pair.bert.change("resume", &download).await;
    arrives(pair, &download, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_removed_under_way_is_not_made_again_and_waited_for() {
    let pair = pair(63, |bert| bert).await;
    let download = pair.under_way("long", 3).await;
    let folder = pair.bert.downloaded("");
    fs::remove_dir_all(&folder).unwrap();
    pair.link.runs_at(BYTES_PER_SECOND);
    waits(&pair.bert, &download, Cause::FolderGone).await;
    assert!(!folder.exists(), "the folder was made again");
    let passed = pair.link.passed();
    fs::create_dir(&folder).unwrap();
    // All of it is to be fetched again: what was there is gone.
    arrives_after(passed, pair, &download, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_a_disk_is_not_mounted_any_more() {
    let mut disk = SmallDisk::mount(LARGE_ENOUGH);
    let mut pair = pair(64, |bert| bert.downloading_to(&disk.downloads())).await;
    let download = pair.under_way("long", 3).await;
    disk.unmount();
    pair.link.runs_at(BYTES_PER_SECOND);
    let held = waits(&pair.bert, &download, Cause::FolderGone).await;
    assert!(reason(&held).contains("not mounted"), "{held:?}");

    pair.bert = pair.bert.kill_and_start_again().await;
    pair.bert.wait_until_connected().await;
    pair.bert.change("resume", &download).await;
    waits(&pair.bert, &download, Cause::FolderGone).await;
    assert_eq!(names_in(&disk.downloads()), [""; 0], "something was written to the system's own disk");

    let passed = pair.link.passed();
    disk.mount_again(LARGE_ENOUGH);
    arrives_after(passed, pair, &download, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_is_waited_for() {
    let pair = pair(65, PeerBuilder::without_privileges).await;
    let folder = pair.bert.downloaded("");
    allow(&folder, 0o555);
    let download = pair.bert.begin("long").await;
    waits(&pair.bert, &download, Cause::Permission).await;
    assert_eq!(pair.link.passed(), 0, "the source was asked");

    pair.link.stands_still_after_pieces(3);
    allow(&folder, 0o755);
    pair.bert.wait_for_pieces(&download, 3).await;
    allow(&folder, 0o555);
    pair.link.runs_at(BYTES_PER_SECOND);
    let held = waits(&pair.bert, &download, Cause::Permission).await;
    assert!(reason(&held).contains("may not write"), "{held:?}");
    allow(&folder, 0o755);
    arrives(pair, &download, 1).await;
}

/// The state is on the disk that is full, and so the daemon can't keep what is done about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_makes_room_though_it_can_not_be_saved() {
    let disk = SmallDisk::mount(LARGE_ENOUGH);
    let on_disk = |bert: PeerBuilder| {
        bert.downloading_to(&disk.downloads()).with_state_in(&disk.downloads().with_file_name("state"))
    };
    let mut pair = pair(66, on_disk).await;
    let download = pair.under_way("long", 2).await;
    disk.fill();
    pair.link.runs_at(BYTES_PER_SECOND);
    waits(&pair.bert, &download, Cause::NoSpace).await;
    let _said_or_not = pair.bert.peerctl(&["cancel", &download.id]).await;
    assert_eq!(pair.bert.downloaded_names(), [""; 0]);
    let cancelled = pair.bert.downloads().await.remove(0);
    assert_eq!(cancelled.state, DownloadState::Cancelled, "{cancelled:?}");

    disk.make_room();
    pair.bert = pair.bert.kill_and_start_again().await;
    let kept = pair.bert.downloads().await.remove(0);
    assert_eq!(kept.state, DownloadState::Cancelled, "it was forgotten: {kept:?}");
    pair.stop().await;
}
