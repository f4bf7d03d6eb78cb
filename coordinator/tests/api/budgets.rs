//! What a session, and all sessions of an address, may do: more is 429, with when to come back.

use protocol::{Code, SearchId, SessionToken};
use reqwest::Response;
use serde_json::json;

use crate::harness::{TestApp, connect_body, refused};

/// Asserts that a call was over a limit, and that it tells when to come back.
async fn over_the_limit(response: Response) {
    let retry_after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=120).contains(&retry_after), "{retry_after}");
    refused(response, Code::RateLimited).await;
}

#[tokio::test]
async fn polls_of_a_session_are_limited_and_the_parked_one_goes_on() {
    let app = TestApp::start_with(|config| {
        config.limits.polls_burst = 3.try_into().unwrap();
        config.limits.polls_per_second = 1.try_into().unwrap();
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    for _ in 0..2 {
        assert_eq!(alice.poll_with(None, 0).await.status(), 204);
    }
    let (parked, ()) = tokio::join!(alice.poll_with(None, 10), async {
        app.until_parked(1).await;
        over_the_limit(alice.poll_with(None, 0).await).await;
        bobby.introduce("alice").await;
    });
    assert_eq!(parked.status(), 200);
    app.stop().await;
}

#[tokio::test]
async fn answers_and_replies_of_a_session_are_limited() {
    let app = TestApp::start_with(|config| {
        config.limits.answers_burst = 2.try_into().unwrap();
        config.limits.answers_per_second = 1.try_into().unwrap();
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    for _ in 0..2 {
        assert_eq!(bobby.answer(id, vec![]).await.status(), 204);
    }
    over_the_limit(bobby.answer(id, vec![]).await).await;
    let introduction = alice.introduce("bobby").await;
    over_the_limit(bobby.reply(introduction, &json!({ "state": "accepted" })).await).await;
    app.stop().await;
}

#[tokio::test]
async fn a_crowd_behind_one_address_has_one_budget() {
    let app = TestApp::start_with(|config| {
        config.limits.searches_burst_an_address = 3.try_into().unwrap();
        config.limits.searches_per_second_an_address = 1.try_into().unwrap();
    });
    let mut passed = 0;
    for number in 0..6 {
        let peer = app.connect(&format!("peer-{number}")).await;
        let response = peer.put_search(&SearchId::random().to_string(), &json!({ "query": "holiday" })).await;
        if response.status() == 202 {
            passed += 1;
        } else {
            over_the_limit(response).await;
        }
    }
    assert!((3..6).contains(&passed), "{passed} passed");
    app.stop().await;
}

#[tokio::test]
async fn renewals_of_a_name_are_limited() {
    let app = TestApp::start_with(|config| config.limits.renewals_per_minute = 2.try_into().unwrap());
    let peer = app.connect("alice").await;
    for _ in 0..2 {
        app.connect_with("alice", peer.token.clone(), Some(&peer.name_token)).await;
    }
    let by_token = connect_body("alice", &peer.token, Some(&peer.name_token));
    over_the_limit(app.post_session(&by_token).await).await;
    let next_session = connect_body("alice", &SessionToken::random(), Some(&peer.name_token));
    over_the_limit(app.post_session(&next_session).await).await;
    app.connect("bobby").await;
    app.stop().await;
}

#[tokio::test]
async fn guesses_at_the_join_key_are_limited_as_claims_are() {
    let app = TestApp::start_with(|config| {
        config.join_key = Some(coordinator::config::Secret::new("open sesame".into()));
        config.limits.claims_per_minute = 2.try_into().unwrap();
    });
    let with = |key: &str| {
        let mut body = connect_body("alice", &SessionToken::random(), None);
        body["join_key"] = json!(key);
        body
    };
    for guess in ["open barley", "open wheat"] {
        refused(app.post_session(&with(guess)).await, Code::JoinKeyWrong).await;
    }
    over_the_limit(app.post_session(&with("open rye")).await).await;
    over_the_limit(app.post_session(&with("open sesame")).await).await;
    app.stop().await;
}
