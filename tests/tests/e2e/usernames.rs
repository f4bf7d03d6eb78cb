//! A name is held by one: who comes second, or looks alike, is refused, and the holder does not notice.

use std::time::Duration;

use hearsay_tests::{api_client::ApiClient, content::Folder, scene::Scene, session::claim};
use protocol::{Code, SessionToken, control::ExitCode};

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_and_a_look_alike_username_are_refused_while_the_holder_goes_on() {
    let scene = Scene::start().await;
    let files = Folder::new().with("proof of life.txt", "x");
    let holder = scene.peer("alice").sharing(files.path()).connected().await;
    let mut second = scene.peer("alice").start().await;

    let status = second
        .wait_for_status("is told why not", Duration::from_secs(20), |status| {
            status.connection_problem.is_some()
        })
        .await;
    assert!(!status.connected, "{status:?}");
    assert!(status.connection_problem.unwrap().contains("taken"));

    // The same name in other letters, and one whose digit looks like a letter of it.
    for look_alike in ["alice", "ALICE", "a1ice"] {
        let output = second.peerctl(&["connect", look_alike]).await.expect(ExitCode::Conflict);
        assert!(output.stderr.contains("taken"), "{output:#?}");
    }
    let _ = second.peerctl(&["connect", "al"]).await.expect(ExitCode::Usage);
    let _ = second.peerctl(&["connect", "bob"]).await.expect(ExitCode::Done);

    let found = second.search("proof of life").await;
    assert_eq!(found.results.len(), 1, "the holder goes on answering: {found:#?}");
    assert_eq!(found.results[0].username.as_str(), "alice");
    assert!(holder.status().await.connected);

    holder.stop().await;
    scene.stop_with([second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_its_session_is_free_again() {
    let scene = Scene::configured("lifetimes.lease_seconds = 2\n", hearsay_tests::proxy::Scheme::Http).await;
    let client = scene.client();
    let first = scene.session("alice").await;
    refused(&client, "alice").await;
    first.disconnect().await;

    let second = scene.session("alice").await;
    refused(&client, "Alice").await;
    second.vanish(Duration::from_millis(200)).await;
    // The lease ends by itself: nobody says goodbye.
    hearsay_tests::wait::until("the lapsed name is free", Duration::from_secs(20), async || {
        (claim(&client, "alice", &SessionToken::random()).await.status == 201).then_some(())
    })
    .await;
    scene.stop().await;
}

async fn refused(client: &ApiClient, username: &str) {
    claim(client, username, &SessionToken::random()).await.expect_problem(Code::UsernameTaken);
}
