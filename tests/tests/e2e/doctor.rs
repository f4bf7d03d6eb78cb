//! `peerctl doctor` on real daemons: what only a running one can tell.

use hearsay_tests::{content::Folder, peer::Peer, scene::Scene};
use protocol::control::{
    ExitCode,
    doctor::{Check, Examination, Verdict},
};

async fn check(peer: &Peer, name: &str) -> Check {
    let output = peer.peerctl(&["--json", "doctor"]).await;
    let Examination { checks, .. } = output.document();
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("{name} was not looked at: {checks:#?}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_knows_its_coordinator_and_which_of_its_ports_a_peer_has_reached() {
    let scene = Scene::start().await;
    let files = Folder::new().with("song.txt", "la la la");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let coordinator = check(&bert, "coordinator").await;
    assert!(coordinator.verdict == Verdict::Good && coordinator.finding.contains(" ms"), "{coordinator:?}");
    for name in ["clock", "session", "open_files", "shares"] {
        assert_eq!(check(&anna, name).await.verdict, Verdict::Good, "{name}");
    }
    assert_eq!(check(&bert, "download_port").await.verdict, Verdict::Unknown);
    bert.search("song").await;
    bert.fetch("1").await;
    assert_eq!(check(&bert, "download_port").await.verdict, Verdict::Good, "anna has dialled it");
    assert_eq!(check(&anna, "upload_port").await.verdict, Verdict::Unknown, "nobody had to dial it");

    let _ = bert.peerctl(&["disconnect"]).await.expect(ExitCode::Done);
    let _ = bert.peerctl(&["doctor"]).await.expect(ExitCode::Other);
    assert_eq!(check(&bert, "session").await.verdict, Verdict::Bad);
    anna.stop().await;
    bert.stop().await;
    scene.stop().await;
}
