//! A download that waits in a queue looks for somebody else who has the file.

use hearsay_tests::{
    content::Folder,
    peer::Peer,
    scene::Scene,
    slow_link::SlowLink,
    steering::PIECE,
    wait::{PATIENCE, until},
};
use protocol::control::{Download, DownloadState, Why};

/// At this rate a file is under way for as long as a case needs to look around.
const CRAWL: u32 = 256 * 1024;
const FILE: usize = 8 * PIECE;
const SOON: &str = "look_around_after = \"1s\"\n";
const WANTED: &str = "what is wanted";

/// Keeps a source busy: fetches this from it over the link.
async fn keep_busy(by: &Peer, query: &str) -> Download {
    let download = by.begin(query).await;
    by.wait_for_download(&download, "is under way", PATIENCE, |now| now.state == DownloadState::Transferring)
        .await
}

async fn wait_for_place(peer: &Peer, download: &Download, username: &str, position: u32) {
    peer.wait_for_download(download, "waits in a queue", PATIENCE, |now| {
        now.username.as_str() == username && now.position == Some(position)
    })
    .await;
}

/// Whose places these are that wait at a source.
async fn waiting_at(peer: &Peer) -> Vec<String> {
    let uploads = peer.uploads().await;
    let waiting = uploads.iter().filter(|upload| upload.position.is_some());
    waiting.map(|upload| upload.username.to_string()).collect()
}

/// What was done about other sources, and with whom.
fn told(why: &Why) -> Vec<(&str, &str)> {
    let words = ["asked_elsewhere", "place_elsewhere", "nothing_elsewhere", "place_left"];
    let steps = why.steps.iter().filter(|step| words.contains(&step.step.as_str()));
    steps.map(|step| (step.step.as_str(), step.username.as_ref().unwrap().as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_at_one_goes_on_at_another_that_is_free() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with_random("long.bin", FILE, 71).with("wanted.txt", WANTED);
    let of_carl = Folder::new().with("under another name.txt", WANTED);
    let anna = scene.peer("anna").sharing(of_anna.path()).connected().await;
    let link = SlowLink::start(CRAWL);
    let dora = scene.peer("dora").connected_behind(&link).await;
    let bert = scene.peer("bert").configured(SOON).connected().await;
    let long = keep_busy(&dora, "long").await;
    let wanted = bert.begin("wanted").await;
    wait_for_place(&bert, &wanted, "anna", 1).await;
    let next = bert.why(&wanted).await.next.expect("it looks around");
    assert!(next.what.contains("whoever else has the file is looked for"), "{next:?}");

    let carl = scene.peer("carl").sharing(of_carl.path()).connected().await;
    let finished = bert.finish(&wanted).await;
    assert_eq!(finished.username.as_str(), "carl", "{finished:?}");
    assert_eq!(bert.digest_of("wanted.txt"), of_anna.digest("wanted.txt"));
    assert_eq!(dora.downloads().await[0].state, DownloadState::Transferring, "anna was busy all the time");
    let why = bert.why(&wanted).await;
    assert_eq!(told(&why), [("asked_elsewhere", "carl"), ("place_left", "anna")], "{why:#?}");
    let given_up = async || waiting_at(&anna).await.is_empty().then_some(());
    until("the place at anna is given up", PATIENCE, given_up).await;

    link.runs_at(u32::MAX);
    dora.finish(&long).await;
    scene.stop_with([anna, bert, carl, dora]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_queues_it_waits_in_the_shorter_one_and_in_no_other() {
    let scene = Scene::start().await;
    let of_anna = Folder::new().with_random("long.bin", FILE, 72).with("wanted.txt", WANTED);
    let of_carl = Folder::new().with_random("other.bin", FILE, 73).with("wanted.txt", WANTED);
    let anna = scene.peer("anna").sharing(of_anna.path()).connected().await;
    let (to_dora, to_eve) = (SlowLink::start(CRAWL), SlowLink::start(CRAWL));
    let dora = scene.peer("dora").connected_behind(&to_dora).await;
    let eve = scene.peer("eve").connected_behind(&to_eve).await;
    let carl = scene.peer("carl").sharing(of_carl.path()).connected().await;
    let bert = scene.peer("bert").configured(SOON).connected().await;
    let fred = scene.peer("fred").configured(SOON).connected().await;
    let (long, other) = (keep_busy(&dora, "long").await, keep_busy(&eve, "other").await);

    // For the first at anna, carl has no better place; for the second, he has.
    let of_bert = bert.begin_from("anna", "wanted").await;
    wait_for_place(&bert, &of_bert, "anna", 1).await;
    let of_fred = fred.begin_from("anna", "wanted").await;
    wait_for_place(&fred, &of_fred, "carl", 1).await;
    let was_no_better =
        async || told(&bert.why(&of_bert).await).contains(&("place_elsewhere", "carl")).then_some(());
    until("carl was asked", PATIENCE, was_no_better).await;
    let one_each = async || {
        let places = (waiting_at(&anna).await, waiting_at(&carl).await);
        (places == (vec!["bert".to_owned()], vec!["fred".to_owned()])).then_some(())
    };
    until("each waits in one queue", PATIENCE, one_each).await;

    to_eve.runs_at(u32::MAX);
    let finished = fred.finish(&of_fred).await;
    assert_eq!(finished.username.as_str(), "carl", "{finished:?}");
    to_dora.runs_at(u32::MAX);
    tokio::join!(dora.finish(&long), eve.finish(&other), bert.finish(&of_bert));
    scene.stop_with([anna, bert, carl, dora, eve, fred]).await;
}
