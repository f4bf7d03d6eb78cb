//! The configuration is put in force while the server runs.

use protocol::{Code, SearchId};
use serde_json::json;

use crate::harness::{TestApp, connect_body, refused};

#[tokio::test]
async fn what_can_change_does_and_what_can_not_is_told() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut changed = crate::harness::config();
    changed.join_key = Some(coordinator::config::Secret::new("open sesame".into()));
    changed.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    changed.limits.searches_burst = 1.try_into().unwrap();
    changed.limits.sessions = 2;
    changed.lifetimes.search = std::time::Duration::from_secs(3);
    changed.lifetimes.keep_alive = std::time::Duration::from_secs(3);
    changed.limits.backlog = 1;
    for _ in 0..2 {
        let waiting = app.reloader.apply(changed.clone());
        assert_eq!(waiting, ["lifetimes.keep_alive_seconds", "limits.backlog"], "until the restart");
    }

    let search = |query: &'static str| {
        let id = SearchId::random().to_string();
        let alice = &alice;
        async move { alice.put_search(&id, &json!({ "query": query })).await }
    };
    let accepted: serde_json::Value = crate::harness::expect(search("holiday").await, 202).await;
    assert_eq!(accepted["deadline_seconds"], 3);
    refused(search("holiday").await, Code::RateLimited).await;
    let body = |username: &str| connect_body(username, &protocol::SessionToken::random(), None);
    refused(app.post_session(&body("bobby")).await, Code::JoinKeyWrong).await;
    let mut with_key = body("bobby");
    with_key["join_key"] = json!("open sesame");
    assert_eq!(app.post_session(&with_key).await.status(), 201);
    with_key = body("carol");
    with_key["join_key"] = json!("open sesame");
    refused(app.post_session(&with_key).await, Code::RateLimited).await;
    let id = protocol::IntroductionId::random();
    refused(alice.put_introduction(id, "bobby", 4821).await, Code::AddressUnknown).await;

    assert_eq!(app.reloader.apply(crate::harness::config()), [""; 0]);
    app.connect("carol").await;
    app.stop().await;
}
