//! Names: who gets one, who keeps it, who takes it back.

use std::time::Duration;

use protocol::{Code, SessionToken, session::ConnectResponse};
use serde_json::json;

use crate::{
    harness::{TestApp, connect_body, eventually, expect, refused},
    observed::send,
};

#[tokio::test]
async fn a_duplicate_and_a_look_alike_are_refused_and_the_holder_goes_on() {
    let app = TestApp::start();
    let mut holder = app.connect("paul1").await;
    let searcher = app.connect("searcher").await;
    for taken in ["paul1", "PAUL1", "paull", "pauI1", "раul1"] {
        let response = app.post_session(&connect_body(taken, &SessionToken::random(), None)).await;
        let code = if taken.is_ascii() { Code::UsernameTaken } else { Code::UsernameInvalid };
        refused(response, code).await;
    }
    searcher.search("holiday").await;
    assert!(matches!(holder.event().await, protocol::Event::Search { .. }));
    app.stop().await;
}

#[tokio::test]
async fn a_repeated_connect_is_answered_alike_and_disturbs_nothing() {
    let app = TestApp::start();
    let mut peer = app.connect("alice").await;
    let searcher = app.connect("searcher").await;
    searcher.search("holiday").await;
    peer.events().await;
    let again = app.connect_with("alice", peer.token.clone(), None).await;
    assert_eq!(peer.answer(protocol::SearchId::random(), vec![]).await.status(), 410, "the old seal counts");
    peer.name_token = again.name_token;
    peer.hears_nothing().await;
    let other_name = connect_body("bobby", &peer.token, None);
    refused(app.post_session(&other_name).await, Code::IdTaken).await;
    app.stop().await;
}

#[tokio::test]
async fn a_peer_that_crashed_gets_its_name_back_at_once() {
    let app = TestApp::start();
    let crashed = app.connect("alice").await;
    let parked = send(crashed.poll_request(None, 30));
    let ((), parked) = tokio::join!(
        async {
            app.until_parked(1).await;
            let next = app.connect_with("alice", SessionToken::random(), Some(&crashed.name_token)).await;
            // The lineage goes on: the token after the next one counts as well.
            app.connect_with("alice", SessionToken::random(), Some(&next.name_token)).await;
        },
        parked
    );
    refused(parked, Code::TokenInvalid).await;
    refused(crashed.disconnect().await, Code::TokenInvalid).await;
    app.stop().await;
}

#[tokio::test]
async fn a_foreign_name_token_helps_nobody() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mallory = app.connect("mallory").await;
    let with_foreign = connect_body("alice", &SessionToken::random(), Some(&mallory.name_token));
    refused(app.post_session(&with_foreign).await, Code::UsernameTaken).await;

    let id = protocol::SearchId::random();
    let mut borrowed = app.connect("borrower").await;
    for wrong in [alice.name_token.as_str(), "", "AAAA", &"A".repeat(200)] {
        borrowed.name_token = wrong.to_owned();
        refused(borrowed.answer(id, vec![]).await, Code::NameTokenInvalid).await;
        let introduction = protocol::IntroductionId::random();
        refused(borrowed.put_introduction(introduction, "alice", 4821).await, Code::NameTokenInvalid).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn a_name_is_free_after_a_disconnect_and_after_the_lease() {
    let app = TestApp::start();
    let peer = app.connect("alice").await;
    assert_eq!(peer.disconnect().await.status(), 204);
    refused(peer.disconnect().await, Code::TokenInvalid).await;
    app.connect("alice").await;
    app.stop().await;

    let app = TestApp::start_with(|config| config.lifetimes.lease = Duration::from_millis(300));
    app.connect("alice").await;
    eventually(|| async {
        let body = connect_body("alice", &SessionToken::random(), None);
        app.post_session(&body).await.status() == 201
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn a_parked_poll_keeps_the_name() {
    const LEASE: Duration = Duration::from_secs(1);
    let app = TestApp::start_with(|config| config.lifetimes.lease = LEASE);
    let peer = app.connect("alice").await;
    let (response, ()) = tokio::join!(peer.poll_with(None, 50), async {
        app.until_parked(1).await;
        for _ in 0..8 {
            let body = connect_body("alice", &SessionToken::random(), None);
            refused(app.post_session(&body).await, Code::UsernameTaken).await;
            tokio::time::sleep(LEASE / 4).await;
        }
        app.begin_stop();
    });
    assert_eq!(response.status(), 204);
    app.stop().await;
}

#[tokio::test]
async fn a_restart_with_the_key_kept_lets_the_holder_replace_a_squatter() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = Some(folder.path().join("key"));
    let before = TestApp::start_with(|config| config.key_file.clone_from(&key_file));
    let name_token = before.connect("alice").await.name_token;
    before.stop().await;
    // A name token says in which second it was issued: the next start is in a later one.
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let after = TestApp::start_with(|config| config.key_file.clone_from(&key_file));
    let squatter = after.connect("alice").await;
    after.connect_with("alice", SessionToken::random(), Some(&name_token)).await;
    refused(squatter.disconnect().await, Code::TokenInvalid).await;
    after.stop().await;
}

#[tokio::test]
async fn a_closed_community_wants_its_key() {
    let app = TestApp::start_with(|config| {
        config.join_key = Some(coordinator::config::Secret::new("open sesame".into()));
    });
    let mut body = connect_body("alice", &SessionToken::random(), None);
    refused(app.post_session(&body).await, Code::JoinKeyWrong).await;
    body["join_key"] = json!("open barley");
    refused(app.post_session(&body).await, Code::JoinKeyWrong).await;
    body["join_key"] = json!("open sesame");
    let _: ConnectResponse = expect(app.post_session(&body).await, 201).await;
    app.stop().await;
}

#[tokio::test]
async fn claims_are_limited_by_address_and_renewals_are_not() {
    let app = TestApp::start_with(|config| config.limits.claims_per_minute = 2.try_into().unwrap());
    let peer = app.connect("alice").await;
    app.connect("bobby").await;
    let response = app.post_session(&connect_body("carol", &SessionToken::random(), None)).await;
    let retry_after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    refused(response, Code::RateLimited).await;
    app.connect_with("alice", peer.token.clone(), None).await;
    app.connect_with("alice", SessionToken::random(), Some(&peer.name_token)).await;
    app.stop().await;
}
