//! Dial-backs that come late, or twice: they are closed at once, and keep no slot.

use std::time::Duration;

use hearsay_tests::{
    content::Folder,
    peer::{Peer, download_address},
    scene::Scene,
    scripted::{Opened, ScriptedPeer},
    wait::within,
};
use protocol::{
    FileId, Root,
    control::{Download, DownloadState},
    introduction::IntroductionProof,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// A second, and what a busy machine adds. A connection that nobody looks after is kept for longer.
const CLOSED: Duration = Duration::from_secs(3);

struct Stage {
    scene: Scene,
    target: ScriptedPeer,
    requester: Peer,
    download: Download,
    introduction: Opened,
}

/// A real requester has asked a target played by hand.
async fn asked() -> Stage {
    let scene = Scene::start().await;
    let mut target = scene.scripted_peer("target").await;
    let requester = scene.peer("requester").connected().await;
    let wanted = FileId::new(Root::from_bytes([7; 32]), 1 << 20).unwrap();
    let (found, ()) = tokio::join!(requester.search("wanted file"), target.offer("wanted file.bin", wanted));
    assert_eq!(found.results.len(), 1, "{found:#?}");
    let download = requester.begin_result("1").await;
    let introduction = target.next_introduction().await;
    Stage { scene, target, requester, download, introduction }
}

/// Nothing holds the one slot: another download goes through.
async fn fetches_something_else(scene: &Scene, requester: &Peer) {
    let files = Folder::new().with("other.txt", "something else");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let other = requester.begin("other").await;
    requester.finish(&other).await;
    anna.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_back_after_cancel_is_closed_and_takes_no_slot() {
    let Stage { scene, target, requester, download, introduction } = asked().await;
    requester.change("cancel", &download).await;

    let mut late = TcpStream::connect(introduction.endpoint).await.unwrap();
    let heard = within("the late dial-back is closed", CLOSED, async {
        let mut heard = Vec::new();
        let _reset = late.read_to_end(&mut heard).await;
        heard
    })
    .await;
    assert_eq!(heard, b"", "not a byte for a stranger");
    assert_eq!(introduction.endpoint, download_address(&requester.status().await));
    let cancelled = requester.downloads().await.remove(0);
    assert_eq!(cancelled.state, DownloadState::Cancelled, "{cancelled:?}");
    fetches_something_else(&scene, &requester).await;

    drop(target);
    scene.stop_with([requester]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_dial_backs_with_one_key_one_is_closed_and_the_slot_is_free_after() {
    let Stage { scene, target, requester, download, introduction } = asked().await;
    let (first, second) = (target.dial_back(&introduction).await, target.dial_back(&introduction).await);
    let proof =
        IntroductionProof { id: introduction.id, message_key: introduction.invitation.message_key.clone() };
    let shown = Box::pin(async { tokio::join!(first.show(&proof), second.show(&proof)) });
    let (first, second) = within("both are done with", CLOSED, shown).await;
    let (shorter, longer) = if first.len() < second.len() { (first, second) } else { (second, first) };
    assert_eq!(shorter, ["GET /v1/introduction"], "a key opens one stream");
    assert!(longer.len() > 1, "the other one is the stream: {longer:?}");
    assert_eq!(requester.status().await.refused_dial_backs, 1);
    let failed = requester
        .wait_for_download(&download, "is over", Duration::from_secs(20), |now| now.state.has_ended())
        .await;
    assert_eq!(failed.state, DownloadState::Failed, "{failed:?}");
    fetches_something_else(&scene, &requester).await;

    drop(target);
    scene.stop_with([requester]).await;
}
