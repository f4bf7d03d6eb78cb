//! Who waits at a target gets its turn: whoever takes nothing, or takes it for too long, makes way, and nobody's
//! many wishes come before another's one.

use std::time::Duration;

use hearsay_tests::{
    content::Folder,
    pair::Pair,
    peer::{Peer, PeerBuilder},
    scene::Scene,
    steering::PIECE,
};
use protocol::{
    control::{DownloadState, Upload, UploadState},
    introduction::HeardReply,
};

const BYTES_PER_SECOND: u32 = 4 << 20;
/// More than the buffers of two sockets hold.
const LONG: usize = 40 * PIECE;

async fn upload_to(peer: &Peer, username: &str) -> Upload {
    let uploads = peer.uploads().await;
    uploads.into_iter().find(|upload| upload.username.as_str() == username).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_set_back_and_the_next_one_goes() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("long.bin", LONG, 81).with("short.txt", "short");
    let impatient = "upload_idle = \"3s\"\n";
    let anna = scene.peer("anna").sharing(files.path()).configured(impatient).connected().await;
    let carl = scene.peer("carl").connected().await;
    let mut bert = scene.asker("bert", "long").await;
    assert_eq!(carl.search("short").await.results.len(), 1);
    let (invited, _stream) = bert.is_served().await;

    let short = carl.begin_result("1").await;
    carl.finish(&short).await;
    assert_eq!(carl.digest_of("short.txt"), files.digest("short.txt"));
    let place = anna.wait_for_upload("keeps its place", |upload| upload.state == UploadState::Queued).await;
    assert_eq!((place.username.as_str(), &place.id), ("bert", &invited.id.to_string()));
    assert!(place.reason.as_ref().unwrap().contains("took nothing"), "{place:?}");
    let again = bert.invite_again(&invited).await;
    assert_eq!(bert.word_on(&again).await, HeardReply::Accepted {});

    scene.stop_with([anna, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_asks_and_never_for_a_file_is_set_back() {
    let scene = Scene::start().await;
    let files = Folder::new().with("long.txt", "long").with("short.txt", "short");
    let impatient = "upload_idle = \"2s\"\n";
    let anna = scene.peer("anna").sharing(files.path()).configured(impatient).connected().await;
    let carl = scene.peer("carl").connected().await;
    let mut bert = scene.asker("bert", "long").await;
    let invited = bert.invite().await;
    assert_eq!(bert.peer.word_on(&invited).await, HeardReply::Accepted {});
    let mut stream = bert.peer.meet(&bert.source, &bert.listener).await;
    let asking = async {
        stream.ask_for_nothing_but_the_proof().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = asking => {}
        _ = async { carl.finish(&carl.begin("short").await).await } => {}
    }
    let place = upload_to(&anna, "bert").await;
    assert!(place.reason.as_ref().unwrap().contains("took nothing"), "{place:?}");

    scene.stop_with([anna, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dribbles_is_set_back_once_another_waits() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("long.bin", LONG, 82).with("short.txt", "short");
    let impatient = "upload_slow_after = \"2s\"\n";
    let anna = scene.peer("anna").sharing(files.path()).configured(impatient).connected().await;
    let carl = scene.peer("carl").connected().await;
    let mut bert = scene.asker("bert", "long").await;
    let (_, mut stream) = bert.is_served().await;
    let dribbling = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while stream.read(200).await > 0 {
            ticks.tick().await;
        }
    };
    tokio::select! {
        () = dribbling => panic!("what was sent is still to be read, by far"),
        _ = async { carl.finish(&carl.begin("short").await).await } => {}
    }
    assert_eq!(carl.digest_of("short.txt"), files.digest("short.txt"));
    let place = upload_to(&anna, "bert").await;
    assert!(place.reason.as_ref().unwrap().contains("took too little"), "{place:?}");

    scene.stop_with([anna, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_its_time_makes_way_and_goes_on_after() {
    let files = Folder::new().with_random("long.bin", 16 * PIECE, 83).with("short.txt", "short");
    let hurried = |anna: PeerBuilder| anna.configured("upload_turn = \"2s\"\n");
    let Pair { scene, files, anna, bert, link } =
        Pair::configured(BYTES_PER_SECOND, files, hurried, |bert| bert).await;
    link.crawls_after(2 * PIECE as u64);
    let carl = scene.peer("carl").connected().await;
    let long = bert.begin("long").await;
    bert.wait_for_pieces(&long, 1).await;
    let short = carl.begin("short").await;
    carl.finish(&short).await;
    assert_ne!(bert.downloads().await[0].state, DownloadState::Finished, "it was too short");

    link.runs_at(u32::MAX);
    bert.finish(&long).await;
    assert_eq!(bert.digest_of("long.bin"), files.digest("long.bin"));
    assert_eq!(carl.digest_of("short.txt"), files.digest("short.txt"));

    scene.stop_with([anna, bert, carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_requesters_many_places_don_t_come_before_anothers_one() {
    let scene = Scene::start().await;
    let files = Folder::new().with("short.txt", "short");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut dora = scene.asker("dora", "short").await;
    let mut bert = scene.asker("bert", "short").await;
    let mut carl = scene.asker("carl", "short").await;
    let (_, holding) = dora.is_served().await;

    let mut of_bert = Vec::new();
    for position in 1..=3 {
        let invited = bert.invite().await;
        assert_eq!(bert.position_of(&invited).await, position);
        of_bert.push(invited);
    }
    let of_carl = carl.invite().await;
    assert_eq!(carl.position_of(&of_carl).await, 2, "after one of bert's");
    let again = bert.invite_again(&of_bert[1]).await;
    assert_eq!(bert.position_of(&again).await, 3);

    drop(holding);
    let mut served = Vec::new();
    for _ in 0..4 {
        let (name, mut stream) = tokio::select! {
            stream = bert.asks() => ("bert", stream),
            stream = carl.asks() => ("carl", stream),
        };
        assert!(stream.read(1024).await > 0, "the answer to {name}");
        served.push(name);
    }
    assert_eq!(served, ["bert", "carl", "bert", "bert"]);

    scene.stop_with([anna]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_outlive_a_crash_of_the_target() {
    let scene = Scene::start().await;
    let files = Folder::new().with("short.txt", "short");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut bert = scene.asker("bert", "short").await;
    let mut carl = scene.asker("carl", "short").await;
    let mut dora = scene.asker("dora", "short").await;
    let mut eric = scene.asker("eric", "short").await;
    let (of_bert, running) = bert.is_served().await;
    let of_carl = carl.invite().await;
    assert_eq!(carl.position_of(&of_carl).await, 1);
    let of_dora = dora.invite().await;
    assert_eq!(dora.position_of(&of_dora).await, 2);

    let mut anna = anna.kill_and_start_again().await;
    drop(running);
    anna.wait_until_scanned().await;
    anna.wait_until_connected().await;
    let names: Vec<_> = anna.uploads().await.iter().map(|upload| upload.username.to_string()).collect();
    assert_eq!(names, ["bert", "carl", "dora"], "who was served is first again");
    let again = bert.invite_again(&of_bert).await;
    assert_eq!(bert.word_on(&again).await, HeardReply::Accepted {});
    let _holding = bert.asks().await;
    let of_eric = eric.invite().await;
    assert_eq!(eric.position_of(&of_eric).await, 3, "who comes now is behind them");
    let again = dora.invite_again(&of_dora).await;
    assert_eq!(dora.position_of(&again).await, 2, "although carl has not come back yet");
    let again = carl.invite_again(&of_carl).await;
    assert_eq!(carl.position_of(&again).await, 1);

    scene.stop_with([anna]).await;
}
