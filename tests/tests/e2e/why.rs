//! `peerctl why`: whatever comes in the way of a download is told by its name, and so is what happens next.

use std::time::Duration;

use hearsay_tests::{
    black_hole::BlackHole,
    content::Folder,
    scene::Scene,
    scripted::{Manner, Offered},
};
use protocol::{
    control::{Cause, DownloadState, ExitCode, Why},
    introduction::DeclineReason,
};
use tokio::net::TcpSocket;

/// The longest of them: a dial-back with another key may be followed by the right one, for 15 s.
const VERDICTS: Duration = Duration::from_mins(1);

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

    scene.stop_with([anna, bert]).await;
}

/// One source for each way to fail, and nobody else who has the file.
#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_told_by_its_cause() {
    let scene = Scene::start().await;
    let bert = scene.peer("bert").connected().await;
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = BlackHole::open().await;
    let closed_port = closed.local_addr().unwrap().port();
    let declines = Manner::Declines;
    let cases = [
        (Manner::WantsToBeDialled(closed_port), Cause::NeitherReachable, "it refused the connection"),
        (Manner::WantsToBeDialled(silent.port()), Cause::NeitherReachable, "it did not answer in time"),
        (Manner::ShowsAnotherKey, Cause::Integrity, "a dial-back showed a wrong message-key"),
        (declines(DeclineReason::Refused), Cause::Declined, "does not give this file to you"),
        (declines(DeclineReason::SourceChanged), Cause::SourceChanged, "the file has changed there"),
        (
            Manner::IsOfVersion(2),
            Cause::VersionMismatch,
            "version 2, this peer-daemon version 1: update this one",
        ),
    ];
    let mut sources = Vec::new();
    let mut downloads = Vec::new();
    for (number, (manner, ..)) in cases.iter().enumerate() {
        let (username, name) = (format!("source{number}"), format!("case {number}.txt"));
        let source = scene.scripted_peer(&username).await;
        sources.push(source.offering(vec![Offered::new(&name, name.clone().into_bytes(), *manner)]));
        downloads.push(bert.begin(&name).await);
    }
    for (download, (_, cause, told)) in downloads.iter().zip(&cases) {
        let failed = bert.wait_for_download(download, "fails", VERDICTS, |now| now.state.has_ended()).await;
        assert_eq!((failed.state, failed.cause), (DownloadState::Failed, Some(*cause)), "{failed:?}");
        let why = bert.why(download).await;
        let setback = why.steps.iter().find(|step| step.sentence.contains(told));
        let setback = setback.unwrap_or_else(|| panic!("{told} is not told: {why:#?}"));
        assert_eq!(setback.username.as_ref(), Some(&download.username), "{why:#?}");
        assert_eq!(why.steps.last().unwrap().step, "no_source_found", "{why:#?}");
        assert!(why.next.unwrap().what.contains("peerctl retry"));
        assert!(failed.reason.unwrap().contains(told));
    }
    assert_eq!(bert.downloaded_names(), [""; 0]);

    drop(sources);
    scene.stop_with([bert]).await;
}
