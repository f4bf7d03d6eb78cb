//! Whoever is blocked meets a peer that seems not to be there, and is not seen by it.

use hearsay_tests::{
    content::Folder,
    scene::Scene,
    slow_link::{CRAWL, SlowLink},
    steering::PIECE,
    wait::{PATIENCE, until},
};
use protocol::{
    control::{Blocks, ExitCode, UploadState},
    introduction::HeardReply,
};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_gets_no_more_of_what_runs_and_no_word() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("long.bin", 12 * PIECE, 71).with("short.txt", "short");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let link = SlowLink::start(CRAWL);
    let paul = scene.peer("paul1").connected_behind(&link).await;
    let mut mallory = scene.scripted_peer("mallory").await;
    let mut carl = scene.scripted_peer("carl").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = mallory.find("short").await;

    let _running = paul.begin("long").await;
    anna.wait_for_upload("runs", |upload| upload.state == UploadState::Transferring).await;
    let waiting = mallory.invite(&source, &listener).await;
    assert!(matches!(mallory.word_on(&waiting).await, HeardReply::Queued { position: 1, .. }));

    // The first by a name that looks like its own.
    let blocked = anna.peerctl(&["--json", "block", "add", "PAULL", "mallory"]).await.expect(ExitCode::Done);
    let names: Vec<_> =
        blocked.document::<Blocks>().blocks.iter().map(|block| block.username.to_string()).collect();
    assert_eq!(names, ["PAULL", "mallory"]);
    // What is in the link's buffers already need not crawl out of them.
    link.runs_at(u32::MAX);
    until("the stream ends", PATIENCE, async || (!link.is_in_use()).then_some(())).await;
    let cut_off = anna.wait_for_upload("is over", |upload| upload.username.as_str() == "paul1").await;
    assert_eq!(cut_off.state, UploadState::Failed, "{cut_off:?}");
    assert_eq!(cut_off.reason.as_deref(), Some("the requester was blocked"));
    let goes_on = [UploadState::Queued, UploadState::Dialling, UploadState::Transferring];
    until("nothing is given to them or waits", PATIENCE, async || {
        anna.uploads().await.iter().all(|upload| !goes_on.contains(&upload.state)).then_some(())
    })
    .await;

    // Both events come to anna by the same way: once she has answered the second, she has seen the first.
    let ignored = mallory.invite(&source, &listener).await;
    let heard = carl.invite(&source, &listener).await;
    assert_eq!(carl.word_on(&heard).await, HeardReply::Accepted {});
    assert_eq!(mallory.words_so_far(&ignored).await, []);

    let _ = anna.peerctl(&["block", "rm", "Mallory"]).await.expect(ExitCode::Done);
    let _ = anna.peerctl(&["block", "rm", "mallory"]).await.expect(ExitCode::NotFound);
    let again = mallory.invite_as(ignored.id, &source, &listener).await;
    mallory.word_on(&again).await;

    scene.stop_with([anna, paul]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_blocked_peers_offer_is_not_shown() {
    let scene = Scene::start().await;
    let (of_zoe, of_yves) = (Folder::new().with("tune.ogg", "zoe"), Folder::new().with("tune.ogg", "yves"));
    let zoe = scene.peer("zoe").sharing(of_zoe.path()).connected().await;
    let yves = scene.peer("yves").sharing(of_yves.path()).connected().await;
    let anna = scene.peer("anna").connected().await;
    let _ = anna.peerctl(&["block", "add", "zoe"]).await.expect(ExitCode::Done);
    let anna = anna.kill_and_start_again().await;
    let mut anna = anna;
    anna.wait_until_connected().await;

    let names = async || -> Vec<String> {
        anna.search("tune").await.results.iter().map(|result| result.username.to_string()).collect()
    };
    assert_eq!(names().await, ["yves"]);
    let listed = anna.peerctl(&["block", "ls"]).await.expect(ExitCode::Done);
    assert_eq!(listed.stdout, "zoe\n");
    let _ = anna.peerctl(&["block", "rm", "zoe"]).await.expect(ExitCode::Done);
    until("both are found", PATIENCE, async || (names().await.len() == 2).then_some(())).await;

    scene.stop_with([anna, zoe, yves]).await;
}
