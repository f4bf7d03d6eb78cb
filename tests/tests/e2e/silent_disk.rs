//! A share on a disk that does not answer: nobody else waits for it, and what was given of it goes on when it does.

use hearsay_tests::{
    content::Folder, hanging_disk::HangingDisk, peer::Peer, scene::Scene, slow_link::SlowLink,
    steering::PIECE,
};
use protocol::control::{ExitCode, Upload};

const BYTES_PER_SECOND: u32 = 2 << 20;
const FILE: usize = 24 * PIECE;
const SOON: &str = "upload_idle = \"2s\"\n";

async fn end_over_the_disk(peer: &Peer) -> Upload {
    let is_it = |upload: &Upload| upload.reason.as_deref().unwrap_or_default().contains("does not answer");
    peer.wait_for_upload("ends over the disk", is_it).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_does_not_answer_holds_no_slot_and_is_waited_for() {
    let scene = Scene::start().await;
    let (far, near) =
        (Folder::new().with_random("long.bin", FILE, 91), Folder::new().with("short.txt", "short"));
    let disk = HangingDisk::showing(far.path()).await;
    let anna = scene.peer("anna").sharing(disk.path()).sharing(near.path());
    let anna = anna.configured(SOON).connected().await;
    let link = SlowLink::start(BYTES_PER_SECOND);
    let bert = scene.peer("bert").connected_behind(&link).await;
    let carl = scene.peer("carl").connected().await;
    let long = bert.begin("long").await;
    bert.wait_for_pieces(&long, 2).await;

    disk.hang();
    link.runs_at(u32::MAX);
    assert_eq!(end_over_the_disk(&anna).await.username.as_str(), "bert");
    let short = carl.begin("short").await;
    carl.finish(&short).await;
    // What can't be read is not offered.
    let _ = carl.peerctl(&["search", "long"]).await.expect(ExitCode::NotFound);

    disk.answer();
    // The next try comes by itself, but it is not waited for.
    let _ = bert.peerctl(&["retry", &long.id]).await;
    bert.finish(&long).await;
    assert_eq!(bert.digest_of("long.bin"), far.digest("long.bin"));
    scene.stop_with([anna, bert, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_ends_in_time_while_a_read_is_stuck() {
    let files = Folder::new().with_random("long.bin", FILE, 92);
    let disk = HangingDisk::showing(files.path()).await;
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(disk.path()).configured(SOON).connected().await;
    let link = SlowLink::start(BYTES_PER_SECOND);
    let bert = scene.peer("bert").connected_behind(&link).await;
    let long = bert.begin("long").await;
    bert.wait_for_pieces(&long, 2).await;

    disk.hang();
    link.runs_at(u32::MAX);
    end_over_the_disk(&anna).await;
    anna.stop().await;
    disk.answer();
    scene.stop_with([bert]).await;
}
