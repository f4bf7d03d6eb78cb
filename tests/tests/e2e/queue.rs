//! One upload and one download at a time: who waits, who is told what, and who goes next.

use hearsay_tests::{
    content::Folder,
    peer::Peer,
    proxy::Scheme,
    scene::Scene,
    slow_link::{CRAWL, SlowLink},
    steering::PIECE,
    wait::{PATIENCE, until},
};
use protocol::{
    control::{Cause, Download, DownloadState, ExitCode, UploadState},
    introduction::{DeclineReason, HeardReply, QueueReason},
};

const BYTES_PER_SECOND: u32 = 4 << 20;
const FILE: usize = 12 * PIECE;

/// Waits until the download stands in its source's queue.
async fn wait_for_place(peer: &Peer, download: &Download, reason: &str) -> Download {
    let waiting = peer
        .wait_for_download(download, "waits in its source's queue", PATIENCE, |now| now.position.is_some())
        .await;
    assert_eq!(waiting.state, DownloadState::Waiting, "{waiting:?}");
    assert!(waiting.reason.as_ref().unwrap().contains(reason), "{waiting:?}");
    waiting
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_fetch_from_each_other_at_once_each_on_its_two_ports() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with_random("from anna.bin", FILE, 21);
    let of_bert = Folder::new().with_random("from bert.bin", FILE, 22);
    let (to_anna, to_bert) = (SlowLink::start(BYTES_PER_SECOND), SlowLink::start(BYTES_PER_SECOND));
    let mut anna = scene.peer("anna").sharing(of_anna.path()).connected_behind(&to_anna).await;
    let bert = scene.peer("bert").sharing(of_bert.path()).connected_behind(&to_bert).await;

    for link in [&to_anna, &to_bert] {
        link.stands_still_after_pieces(2);
    }
    let (at_anna, at_bert) = tokio::join!(anna.begin("from bert"), bert.begin("from anna"));
    let both = anna
        .wait_for_status("gives and takes at once", PATIENCE, |status| {
            let takes = status.download.as_ref().is_some_and(|download| download.received > 0);
            takes && status.upload.as_ref().is_some_and(|upload| upload.sent > 0)
        })
        .await;
    assert_ne!(both.download_port, both.upload_port);
    for link in [&to_anna, &to_bert] {
        link.runs_at(BYTES_PER_SECOND);
    }
    tokio::join!(anna.finish(&at_anna), bert.finish(&at_bert));
    assert_eq!(anna.digest_of("from bert.bin"), of_bert.digest("from bert.bin"));
    assert_eq!(bert.digest_of("from anna.bin"), of_anna.digest("from anna.bin"));
    assert!(to_anna.passed() > FILE as u64 && to_bert.passed() > FILE as u64, "by the download ports");

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_is_told_its_place_and_is_served_after() {
    let scene = Scene::start().await;
    let files =
        Folder::new().with_random("first.bin", FILE, 23).with("second.txt", "short").with("third.txt", "3");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let link = SlowLink::start(CRAWL);
    let bert = scene.peer("bert").connected_behind(&link).await;
    let carl = scene.peer("carl").connected().await;
    let dora = scene.peer("dora").connected().await;

    let first = bert.begin("first").await;
    bert.wait_for_download(&first, "is under way", PATIENCE, |now| now.state == DownloadState::Transferring)
        .await;
    let second = bert.begin("second").await;
    let waiting = bert
        .wait_for_download(&second, "waits with a reason", PATIENCE, |now| {
            now.reason.is_some() && now.position.is_some()
        })
        .await;
    assert!(matches!(waiting.state, DownloadState::Queued | DownloadState::Waiting), "{waiting:?}");

    let of_carl = carl.begin("third").await;
    assert_eq!(wait_for_place(&carl, &of_carl, "busy").await.position, Some(1));
    let of_dora = dora.begin("third").await;
    assert_eq!(wait_for_place(&dora, &of_dora, "busy").await.position, Some(2));
    let uploads = anna.uploads().await;
    let seen: Vec<_> =
        uploads.iter().map(|upload| (upload.username.as_str(), upload.state, upload.position)).collect();
    assert_eq!(
        seen,
        [
            ("bert", UploadState::Transferring, None),
            ("carl", UploadState::Queued, Some(1)),
            ("dora", UploadState::Queued, Some(2)),
        ]
    );
    assert_eq!(bert.downloads().await[0].state, DownloadState::Transferring, "the first one was too short");

    link.runs_at(u32::MAX);
    tokio::join!(bert.finish(&first), bert.finish(&second), carl.finish(&of_carl), dora.finish(&of_dora));
    assert_eq!(bert.downloaded_names(), ["first.bin", "second.txt"]);
    assert_eq!(bert.digest_of("first.bin"), files.digest("first.bin"));
    assert_eq!(carl.digest_of("third.txt"), files.digest("third.txt"));
    assert_eq!(dora.digest_of("third.txt"), files.digest("third.txt"));

    scene.stop_with([anna, bert, carl, dora]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_defers_keeps_its_place_and_starves_nobody() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with_random("first.bin", FILE, 24);
    let of_carl = Folder::new().with("second.txt", "short");
    let anna = scene.peer("anna").sharing(of_anna.path()).connected().await;
    let carl = scene.peer("carl").sharing(of_carl.path()).connected().await;
    let link = SlowLink::start(CRAWL);
    let bert = scene.peer("bert").connected_behind(&link).await;
    let dora = scene.peer("dora").connected().await;

    let first = bert.begin("first").await;
    bert.wait_for_download(&first, "is under way", PATIENCE, |now| now.state == DownloadState::Transferring)
        .await;
    let second = bert.begin("second").await;
    let deferred = bert
        .wait_for_download(&second, "is deferred", PATIENCE, |now| {
            now.state == DownloadState::Waiting && now.reason.is_some()
        })
        .await;
    assert_eq!(deferred.reason.as_deref(), Some("another download is running"));
    let place = carl.wait_for_upload("is passed over", |upload| upload.state == UploadState::Queued).await;
    assert_eq!((place.username.as_str(), place.position), ("bert", Some(1)));

    let of_dora = dora.begin("second").await;
    dora.finish(&of_dora).await;
    assert_eq!(bert.downloads().await[0].state, DownloadState::Transferring, "the first one was too short");
    let kept = carl.wait_for_upload("keeps its place", |upload| upload.state == UploadState::Queued).await;
    assert_eq!((kept.id, kept.position), (place.id, Some(1)));

    link.runs_at(u32::MAX);
    tokio::join!(bert.finish(&first), bert.finish(&second));
    assert_eq!(bert.digest_of("second.txt"), of_carl.digest("second.txt"));

    scene.stop_with([anna, bert, carl, dora]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_policy_is_to_ask_a_person_decides() {
    let scene = Scene::start().await;
    let files = Folder::new().with("diary.txt", "dear diary").with("recipe.txt", "two eggs");
    let anna = scene.peer("anna").sharing(files.path()).configured("policy = \"ask\"\n").connected().await;
    let bert = scene.peer("bert").connected().await;
    let carl = scene.peer("carl").connected().await;

    let diary = bert.begin("diary").await;
    wait_for_place(&bert, &diary, "asked").await;
    let asked = anna.requests().await;
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert_eq!((asked[0].username.as_str(), asked[0].files[0].name.as_str()), ("bert", "diary.txt"));
    let recipe = carl.begin("recipe").await;
    wait_for_place(&carl, &recipe, "asked").await;

    // Who came later is accepted first: nobody waits for a person's word on another.
    let of_carl = anna.requests().await.into_iter().find(|request| request.username.as_str() == "carl");
    let _ = anna.peerctl(&["accept", &of_carl.unwrap().id]).await.expect(ExitCode::Done);
    carl.finish(&recipe).await;
    assert_eq!(carl.digest_of("recipe.txt"), files.digest("recipe.txt"));

    let _ = anna.peerctl(&["decline", &asked[0].id]).await.expect(ExitCode::Done);
    let declined = bert.peerctl(&["--json", "wait", &diary.id]).await.expect(ExitCode::Permission);
    assert!(declined.stderr.contains("does not give this file to you"), "{declined:#?}");
    let failed = bert.downloads().await.remove(0);
    assert_eq!((failed.state, failed.cause), (DownloadState::Failed, Some(Cause::Declined)), "{failed:?}");
    until("nobody waits for a word", PATIENCE, async || anna.requests().await.is_empty().then_some(())).await;
    assert_eq!(bert.downloaded_names(), [""; 0]);
    let _ = anna.peerctl(&["accept", &asked[0].id]).await.expect(ExitCode::NotFound);

    // Who lets everybody have something from now on has said so to those that wait for a word.
    let diary = carl.begin("diary").await;
    wait_for_place(&carl, &diary, "asked").await;
    let _ = anna.set("policy", "auto").await;
    let word = async || anna.requests().await.is_empty().then_some(());
    until("who waits for a word has it", PATIENCE, word).await;
    carl.finish(&diary).await;

    scene.stop_with([anna, bert, carl]).await;
}

/// What one username may have listed while a person is asked.
const LISTED_MAX: usize = 2 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_for_more_than_a_person_can_be_shown() {
    // The coordinator would stop it sooner.
    let scene = Scene::configured("limits.introductions_burst = 100\n", Scheme::Http).await;
    let long = format!("{}.txt", "long ".repeat(50));
    let files = Folder::new().with(&long, "long").with("short.txt", "short");
    let anna = scene.peer("anna").sharing(files.path()).configured("policy = \"ask\"\n").connected().await;
    let mut greedy = scene.asker("greedy", "long").await;
    let mut words = Vec::new();
    for _ in 0..10 {
        let listed = vec![greedy.source.file; 1_000];
        let invited = greedy.peer.invite_to(&greedy.source, listed, &greedy.listener).await;
        words.push(greedy.word_on(&invited).await);
    }
    let is_asked = |word: &HeardReply| matches!(word, HeardReply::Queued { reason: QueueReason::Asking, .. });
    let full = HeardReply::Declined { reason: DeclineReason::QueueFull, version: None };
    let asked = words.iter().take_while(|word| is_asked(word)).count();
    assert!((5..10).contains(&asked), "{words:?}");
    assert!(words[asked..].iter().all(|word| *word == full), "{words:?}");

    let mut modest = scene.asker("modest", "short").await;
    let invited = modest.invite().await;
    assert!(is_asked(&modest.word_on(&invited).await), "others are asked for as before");
    let again = greedy.invite().await;
    assert!(is_asked(&greedy.word_on(&again).await), "and so is little more");
    let listed = anna.peerctl(&["--json", "requests"]).await.expect(ExitCode::Done).stdout.len();
    assert!((LISTED_MAX / 2..LISTED_MAX + 64 * 1024).contains(&listed), "{listed} bytes");
    anna.stop().await;
    scene.stop().await;
}
