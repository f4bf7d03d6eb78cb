//! Sources that truncate, grow, change, lie or fall silent: what arrives is the right file, or nothing.

use hearsay_tests::{
    content::Folder,
    faulty_link::FaultyLink,
    peer::{Peer, download_address},
    scene::Scene,
    scripted::{Manner, Offered, ScriptedSource},
    steering::PIECE,
    wait::{PATIENCE, RECOVERY, until},
};
use protocol::control::{Cause, Download, DownloadState, ExitCode};

const FILE: usize = 3 * PIECE + 4_321;

fn name_of(number: usize) -> String {
    format!("treasure {number}.bin")
}

/// So many files of random bytes.
fn treasures(count: usize, size: usize, seed: u64) -> Folder {
    (0..count).fold(Folder::new(), |folder, number| {
        folder.with_random(&name_of(number), size, seed + number as u64)
    })
}

/// A source that has the same files, each with a manner of its own.
async fn mallory(scene: &Scene, files: &Folder, manners: &[Manner]) -> ScriptedSource {
    let offer = |(number, manner): (usize, &Manner)| {
        let name = name_of(number);
        Offered::new(&name, files.read(&name), *manner)
    };
    scene.scripted_peer("mallory").await.offering(manners.iter().enumerate().map(offer).collect())
}

/// All come from mallory at first.
async fn begin_all(bert: &Peer, count: usize) -> Vec<Download> {
    let mut downloads = Vec::new();
    for number in 0..count {
        downloads.push(bert.begin_from("mallory", &name_of(number)).await);
    }
    downloads
}

async fn all_arrive(bert: &Peer, downloads: &[Download], files: &Folder) {
    for download in downloads {
        let ended = bert.end_of(download).await;
        assert_eq!(ended.state, DownloadState::Finished, "{:#?}", bert.why(download).await);
        let name = download.name.as_str();
        assert_eq!(bert.digest_of(name), files.digest(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_source_does_to_a_file_the_right_one_arrives_from_another() {
    let cases = [
        (Manner::Truncates, "stream_lost"),
        (Manner::Grows, "protocol_broken"),
        (Manner::Changes, "wrong_piece"),
        (Manner::IgnoresRange, "protocol_broken"),
        (Manner::LiesInContentRange, "protocol_broken"),
        (Manner::WrongLayer, "protocol_broken"),
    ];
    let scene = Scene::start().await;
    let files = treasures(cases.len(), FILE, 71);
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mallory = mallory(&scene, &files, &cases.map(|(manner, _)| manner)).await;
    let bert = scene.peer("bert").connected().await;

    let downloads = begin_all(&bert, cases.len()).await;
    all_arrive(&bert, &downloads, &files).await;
    for (download, (manner, word)) in downloads.iter().zip(cases) {
        let why = bert.why(download).await;
        let told = why.steps.iter().find(|step| step.step == word);
        let told = told.unwrap_or_else(|| panic!("{manner:?} is not told as {word}: {why:#?}"));
        assert_eq!(told.username.as_ref().unwrap().as_str(), "mallory", "{why:#?}");
        assert_eq!(why.download.username.as_str(), "anna", "{why:#?}");
    }

    drop(mallory);
    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_whom_nobody_can_replace_is_named_and_not_asked_again() {
    let scene = Scene::start().await;
    let files = treasures(1, FILE, 81);
    let mallory = mallory(&scene, &files, &[Manner::Changes]).await;
    let bert = scene.peer("bert").connected().await;

    assert_eq!(bert.search("treasure").await.results.len(), 1);
    let output = bert.get(&["1"]).await.expect(ExitCode::IntegrityFailure);
    assert!(output.stderr.contains("does not belong to the file"), "{output:#?}");
    let failed = bert.downloads().await.remove(0);
    assert_eq!((failed.cause, failed.received), (Some(Cause::Integrity), 0), "{failed:?}");
    assert_eq!(bert.downloaded_names(), [""; 0]);
    assert_eq!(mallory.asked_for(&name_of(0)), 2, "a wrong piece is asked for once more, and no more");

    drop(mallory);
    scene.stop_with([bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_holds_nobody_up_for_longer_than_its_silence_may_last() {
    let scene = Scene::start().await;
    let files = treasures(1, FILE, 91).with("other.txt", "something else");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mallory = mallory(&scene, &files, &[Manner::FallsSilent]).await;
    let bert = scene.peer("bert").configured("download_idle = \"3s\"\n").connected().await;

    let silent = bert.begin_from("mallory", &name_of(0)).await;
    let has_the_slot = async || {
        let why = bert.why(&silent).await;
        why.steps.iter().any(|step| step.step == "connected").then_some(())
    };
    until("the silent one has the slot", PATIENCE, has_the_slot).await;
    let other = bert.begin("other").await;
    for download in [&other, &silent] {
        bert.wait_for_download(download, "arrives", RECOVERY, |now| now.state == DownloadState::Finished)
            .await;
    }
    let why = bert.why(&silent).await;
    let told = why.steps.iter().find(|step| step.step == "stream_silent").expect("that it was silent");
    assert!(told.sentence.contains("for 3 seconds"), "{told:?}");
    assert_eq!(bert.digest_of(&name_of(0)), files.digest(&name_of(0)));

    drop(mallory);
    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dribbles_makes_way_for_the_download_that_waits() {
    let scene = Scene::start().await;
    let files = treasures(1, FILE, 95).with("other.txt", "something else");
    let mallory = mallory(&scene, &files, &[Manner::Dribbles]).await;
    let shared = Folder::new().with("other.txt", "something else");
    let anna = scene.peer("anna").sharing(shared.path()).connected().await;
    let bert = scene.peer("bert").configured("download_slow_after = \"2s\"\n").connected().await;

    let dribbled = bert.begin_from("mallory", &name_of(0)).await;
    bert.wait_for_download(&dribbled, "has the slot", PATIENCE, |now| {
        now.state == DownloadState::Transferring
    })
    .await;
    let other = bert.begin("other").await;
    bert.finish(&other).await;
    let why = bert.why(&dribbled).await;
    assert!(why.steps.iter().any(|step| step.step == "stream_slow"), "{why:#?}");
    assert!(!why.download.state.has_ended(), "{why:#?}");

    drop(mallory);
    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_faulty_link_and_with_a_source_that_lies_now_and_then_everything_arrives() {
    let seed = std::env::var("HEARSAY_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("HEARSAY_SEED={seed}");
    let scene = Scene::start().await;
    let files = treasures(4, 8 * PIECE + 99, 101);
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mallory = mallory(&scene, &files, &[Manner::WrongPieces { one_in: 20, seed }; 4]).await;
    let link = FaultyLink::start(seed);
    let bert = scene.peer("bert").with_public_download_port(link.port()).connected().await;
    link.leads_to(download_address(&bert.status().await));

    let downloads = begin_all(&bert, 4).await;
    all_arrive(&bert, &downloads, &files).await;
    println!("{} connections were cut", link.cuts());
    assert_eq!(bert.downloaded_names(), (0..4).map(name_of).collect::<Vec<_>>());

    drop((mallory, link));
    scene.stop_with([anna, bert]).await;
}
