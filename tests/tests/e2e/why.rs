//! `peerctl why`: whatever comes in the way of a download is told by its name, and so is what happens next.

use hearsay_tests::{content::Folder, scene::Scene};
use protocol::control::{DownloadState, ExitCode, Why};

fn words(why: &Why) -> Vec<&str> {
    why.steps.iter().map(|step| step.step.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_chain_of_a_download_is_told_also_after_a_restart() {
    let scene = Scene::start().await;
    let files = Folder::new().with("notes.txt", "from anna");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let download = bert.begin("notes").await;
    bert.finish(&download).await;
    let why = bert.why(&download).await;
    let mut words = words(&why);
    // The stream may be faster than the coordinator with the word on it.
    words.retain(|word| *word != "accepted");
    let expected = ["added", "asked", "connected", "transferring", "verifying", "finished"];
    assert_eq!(words, expected, "{why:#?}");
    assert!(why.steps.windows(2).all(|steps| steps[0].at <= steps[1].at), "{why:#?}");
    let open_ended: Vec<_> =
        why.steps.iter().filter(|step| step.lasted_milliseconds.is_none()).map(|step| &step.step).collect();
    assert_eq!(open_ended, ["finished"], "only the end lasts for ever");
    let asked = why.steps.iter().find(|step| step.step == "asked").unwrap();
    assert_eq!(asked.username.as_ref(), Some(&download.username), "{why:#?}");
    assert_eq!((why.download.state, why.next.as_ref()), (DownloadState::Finished, None));

    let bert = bert.kill_and_start_again().await;
    assert_eq!(bert.why(&download).await.steps, why.steps, "the chain outlives its daemon");
    let told = bert.peerctl(&["why", &download.id]).await.expect(ExitCode::Done);
    assert!(told.stdout.contains("the source got through, and showed the right key"), "{told:#?}");
    let _ = bert.peerctl(&["why", "77"]).await.expect(ExitCode::NotFound);

    anna.stop().await;
    bert.stop().await;
    scene.stop().await;
}
