//! How things end, and how they go on: SIGTERM, a coordinator's restart, a daemon's crash.

use std::time::Duration;

use hearsay_tests::{
    content::Folder,
    scene::Scene,
    wait::{PATIENCE, until},
};
use protocol::control::ExitCode;

/// Longer than the end of a program is waited for.
const PARKED_SECONDS: u64 = PATIENCE.as_secs() + 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_ends_cleanly_with_polls_parked_and_keeps_nobody_waiting() {
    let scene = Scene::start().await;
    let mut sessions = Vec::new();
    for number in 0..5 {
        sessions.push(scene.session(&format!("parked.{number}")).await);
    }
    let polls: Vec<_> = sessions
        .into_iter()
        .map(|mut session| async move { session.poll(PARKED_SECONDS).await.status })
        .map(|poll| Box::pin(poll) as std::pin::Pin<Box<dyn Future<Output = u16> + Send>>)
        .collect();
    let mut parked = tokio::task::JoinSet::new();
    for poll in polls {
        parked.spawn(poll);
    }
    let Scene { coordinator, nginx } = scene;
    until("all are parked", PATIENCE, async || {
        (coordinator.metric("hearsay_parked_polls ").await == 5).then_some(())
    })
    .await;
    // This has a deadline, which is over before the polls are.
    coordinator.stop().await;
    assert_eq!(parked.join_all().await, [204; 5]);
    nginx.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_come_back_after_a_restart_of_the_coordinator() {
    let Scene { coordinator, nginx } = Scene::start().await;
    let files = Folder::new().with("phoenix.txt", "ashes");
    let mut anna =
        hearsay_tests::peer::Peer::named("anna", &nginx.url()).sharing(files.path()).connected().await;
    let mut bert = hearsay_tests::peer::Peer::named("bert", &nginx.url()).connected().await;
    assert_eq!(bert.search("phoenix").await.results.len(), 1);

    let stopped = coordinator.stop_for_a_while().await;
    bert.wait_for_status("notices", Duration::from_secs(20), |status| !status.connected).await;
    anna.wait_for_status("notices", Duration::from_secs(20), |status| !status.connected).await;
    let output = bert.peerctl(&["search", "phoenix"]).await;
    assert_ne!(output.code, ExitCode::Done as i32, "{output:#?}");
    let coordinator = stopped.start_again().await;

    for peer in [&mut anna, &mut bert] {
        peer.wait_for_status("is back", Duration::from_mins(1), |status| status.connected).await;
    }
    assert_eq!(bert.search("phoenix").await.results.len(), 1);
    let _ = bert.fetch("1").await;
    assert_eq!(bert.digest_of("phoenix.txt"), files.digest("phoenix.txt"));

    anna.stop().await;
    bert.stop().await;
    coordinator.stop().await;
    nginx.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_crashed_gets_its_name_back_at_once() {
    let scene = Scene::start().await;
    let anna = scene.peer("anna").connected().await;
    let mut anna = anna.kill_and_start_again().await;
    // Well before the lease of 60 s is over.
    anna.wait_until_connected().await;
    scene.stop_with([anna]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peerctl_stops_a_daemon() {
    let scene = Scene::start().await;
    let mut anna = scene.peer("anna").connected().await;
    let _ = anna.peerctl(&["stop"]).await.expect(ExitCode::Done);
    assert_eq!(anna.exit_code().await, 0);
    let _ = anna.peerctl(&["status"]).await.expect(ExitCode::DaemonNotRunning);
    scene.stop().await;
}
