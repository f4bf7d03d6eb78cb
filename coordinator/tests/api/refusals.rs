//! What is malformed, forged or unknown: the right status and code, nothing lost, nothing told.

use protocol::{Code, Event, IntroductionId, SearchId};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    harness::{TestApp, answer, refused},
    observed::send,
};

const CANARY: &str = "canary-5f1d";

/// Every call with a body.
pub(crate) fn calls_with_a_body() -> Vec<(Method, String)> {
    let id = SearchId::random();
    vec![
        (Method::POST, "/v1/sessions".to_owned()),
        (Method::PUT, format!("/v1/searches/{id}")),
        (Method::POST, format!("/v1/searches/{id}/answer")),
        (Method::PUT, format!("/v1/introductions/{id}")),
        (Method::PUT, format!("/v1/introductions/{id}/reply")),
    ]
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_without_an_echo() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    alice.introduce("bobby").await;
    let bodies = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        format!("\"{CANARY}\""),
        format!("{{\"{CANARY}\": 1}}"),
        format!("{{\"query\": {{\"{CANARY}\": 1}}}}"),
        "{\"query\": 7}".to_owned(),
        "{\"username\": 7, \"token\": \"zz\", \"version\": 1}".to_owned(),
        "{\"state\": \"canary-5f1d\"}".to_owned(),
        "{\"to\": \"alice\", \"port\": 70000, \"sealed\": \"AAAA\"}".to_owned(),
        "{\"to\": \"alice\", \"port\": 4821, \"sealed\": \"?\"}".to_owned(),
        "{\"root\": \"00\", \"size\": 1}".to_owned(),
        "\u{0}".to_owned(),
    ];
    for (method, path) in calls_with_a_body() {
        for body in &bodies {
            let request = alice.named(method.clone(), &path).header("content-type", "application/json");
            let problem = refused(send(request.body(body.clone())).await, Code::RequestInvalid).await;
            assert!(!format!("{problem:?}").contains(CANARY));
        }
    }
    assert!(matches!(bobby.event().await, Event::Introduction { .. }), "what was on its way arrives");
    app.stop().await;
}

#[tokio::test]
async fn an_oversized_body_and_another_media_type_are_refused() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let huge = format!("{{\"query\": \"{}\"}}", "x".repeat(protocol::limits::BODY_BYTES_MAX));
    for (method, path) in calls_with_a_body() {
        let request = alice.named(method.clone(), &path).header("content-type", "application/json");
        refused(send(request.body(huge.clone())).await, Code::BodyTooLarge).await;

        let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(huge.clone())]);
        let request = alice.named(method.clone(), &path).header("content-type", "application/json");
        let response = send(request.body(reqwest::Body::wrap_stream(chunks))).await;
        refused(response, Code::BodyTooLarge).await;

        for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let request = alice.named(method.clone(), &path).header("content-type", media_type);
            refused(send(request.body("{}")).await, Code::MediaTypeUnsupported).await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn calls_want_a_token_of_a_session() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let id = SearchId::random();
    let calls = [
        (Method::DELETE, "/v1/session".to_owned()),
        (Method::GET, "/v1/events?wait=0".to_owned()),
        (Method::PUT, format!("/v1/searches/{id}")),
        (Method::DELETE, format!("/v1/searches/{id}")),
        (Method::POST, format!("/v1/searches/{id}/answer")),
        (Method::PUT, format!("/v1/introductions/{id}")),
        (Method::DELETE, format!("/v1/introductions/{id}")),
        (Method::PUT, format!("/v1/introductions/{id}/reply")),
    ];
    let token = alice.token.reveal();
    let forged = "0".repeat(64);
    let wrong: Vec<Option<String>> = vec![
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer zz".to_owned()),
        Some(format!("Bearer {forged}")),
        Some(format!("Bearer {}", &token[..63])),
        Some(format!("Bearer {}0", *token)),
        Some(format!("Basic {}", *token)),
        Some((*token).clone()),
    ];
    for (method, path) in &calls {
        for authorization in &wrong {
            let mut request = app.request(method.clone(), path).json(&json!({}));
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let response = send(request).await;
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            refused(response, Code::TokenInvalid).await;
        }
    }
    alice.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn unknown_routes_methods_and_ids() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    for path in ["/", "/v1", "/v1/nothing", "/v1/sessions/", "/livez", "/readyz", "/metrics", "/v1/%2e%2e"] {
        refused(send(alice.request(Method::GET, path)).await, Code::RouteUnknown).await;
    }
    for (method, path, allowed) in [
        (Method::GET, "/v1/sessions", "POST"),
        (Method::POST, "/v1/events", "GET"),
        (Method::PATCH, "/v1/searches/00", "PUT, DELETE"),
        (Method::GET, "/v1/introductions/00/reply", "PUT"),
    ] {
        let response = send(alice.request(method, path)).await;
        assert_eq!(response.headers()["allow"], allowed);
        refused(response, Code::MethodNotAllowed).await;
    }
    for id in ["00", "zz", &"0".repeat(33), CANARY] {
        let response = alice.put_search(id, &json!({ "query": "holiday" })).await;
        refused(response, Code::RequestInvalid).await;
        for path in [format!("/v1/searches/{id}"), format!("/v1/introductions/{id}")] {
            refused(send(alice.request(Method::DELETE, &path)).await, Code::RequestInvalid).await;
        }
    }
    let response = send(alice.request(Method::GET, "/v1/events?wait=soon")).await;
    refused(response, Code::RequestInvalid).await;
    let response = send(alice.request(Method::GET, "/v1/events?since=1")).await;
    refused(response, Code::RequestInvalid).await;

    refused(alice.answer(SearchId::random(), vec![]).await, Code::SearchOver).await;
    refused(alice.delete_search(SearchId::random()).await, Code::SearchOver).await;
    let unknown = IntroductionId::random();
    refused(alice.reply(unknown, &json!({ "state": "accepted" })).await, Code::IntroductionOver).await;
    refused(alice.delete_introduction(unknown).await, Code::IntroductionOver).await;
    app.stop().await;
}

#[tokio::test]
async fn a_connect_is_checked_part_by_part() {
    let app = TestApp::start();
    let token = "0".repeat(64);
    let connect = |username: &str, version: u32| {
        let body = json!({ "username": username, "token": token, "version": version });
        send(app.request(Method::POST, "/v1/sessions").json(&body))
    };
    let problem = refused(connect("alice", 2).await, Code::VersionUnsupported).await;
    assert_eq!(problem.version, Some(1));
    for username in ["", "al", "a b", "-alice", "alice.", "alic\u{202e}e", "аlice", &"x".repeat(33)] {
        let problem = refused(connect(username, 1).await, Code::UsernameInvalid).await;
        assert!(problem.detail.is_some());
    }
    assert_eq!(connect("alice", 1).await.status(), StatusCode::CREATED);
    app.stop().await;
}

#[tokio::test]
async fn another_version_is_told_ours_whatever_else_it_asks_for() {
    let app = TestApp::start();
    let connect = |body: serde_json::Value| send(app.request(Method::POST, "/v1/sessions").json(&body));
    for version in [0, 7] {
        let other = json!({ "version": version, "username": ["alice"], "of_another_version": {} });
        let problem = refused(connect(other).await, Code::VersionUnsupported).await;
        assert_eq!(problem.version, Some(protocol::VERSION));
    }
    // Ours is read as strictly as ever.
    for body in [
        json!({ "username": "alice", "token": "0".repeat(64), "version": 1, "of_a_later_version": 1 }),
        json!({ "username": "alice", "token": "0".repeat(64), "version": "2" }),
        json!({ "username": "alice", "token": "0".repeat(64) }),
        json!(["alice"]),
    ] {
        refused(connect(body).await, Code::RequestInvalid).await;
    }
    let twice =
        format!(r#"{{"username":"alice","username":"bobby","token":"{}","version":1}}"#, "0".repeat(64));
    let request = app.request(Method::POST, "/v1/sessions").header("content-type", "application/json");
    refused(send(request.body(twice)).await, Code::RequestInvalid).await;
    app.stop().await;
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    let many = (0..101).map(|number| crate::harness::file("holiday.jpg", number)).collect();
    refused(bobby.answer(id, many).await, Code::RequestInvalid).await;
    let mut unsafe_name = serde_json::to_value(answer(vec![])).unwrap();
    unsafe_name["matches"] = json!([{ "name": "../holiday", "size": 1, "root": "0".repeat(64) }]);
    let path = format!("/v1/searches/{id}/answer");
    let response = send(bobby.named(Method::POST, &path).json(&unsafe_name)).await;
    refused(response, Code::RequestInvalid).await;
    assert_eq!(bobby.answer(id, vec![]).await.status(), 204, "a refused answer is not the one that counts");
    app.stop().await;
}
