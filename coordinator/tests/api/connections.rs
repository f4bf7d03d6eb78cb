//! A connection that carried content does not outlive it for long.

use std::time::Duration;

use protocol::EventBatch;
use reqwest::{Response, header::CONNECTION};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::TestApp;

fn is_last(answer: &Response) -> bool {
    answer.headers().get(CONNECTION).is_some_and(|value| value == "close")
}

#[tokio::test]
async fn a_connection_that_carried_content_is_closed_when_its_time_has_come() {
    let app = TestApp::start();
    // The client keeps one connection as long as calls come one after the other.
    let peer = app.connect("alice").await;
    assert!(!is_last(&peer.poll_with(None, 0).await), "not at once: there would be no keeping any");
    app.stop().await;

    let app = TestApp::start_with(|config| {
        config.lifetimes.content_connection_min = Duration::from_millis(1_500);
        config.lifetimes.content_connection_max = Duration::from_millis(1_500);
    });
    let peer = app.connect("alice").await;
    // A parked poll does not keep it open: its own time is longer than an answer is waited for.
    let parked = peer.poll_with(None, 50).await;
    assert_eq!(parked.status(), 204);
    assert!(is_last(&parked));

    let clean = peer.poll_with(None, 2).await;
    assert_eq!(clean.status(), 204);
    assert!(!is_last(&clean), "a connection of polls stays");
    app.stop().await;
}

/// What a poll hears does not pass through the connection's buffers, so nothing of it stays there.
#[tokio::test]
async fn a_poll_that_heard_something_keeps_its_connection() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.content_connection_min = Duration::ZERO;
        config.lifetimes.content_connection_max = Duration::ZERO;
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let quiet = bobby.poll_with(None, 0).await;
    assert!(!is_last(&quiet), "the connection of the claim has ended with the claim");
    alice.introduce("bobby").await;
    let heard = bobby.poll_with(None, 10).await;
    assert_eq!(heard.status(), 200);
    assert!(!is_last(&heard));
    app.stop().await;
}

#[tokio::test]
async fn answers_to_requests_that_are_sent_ahead_come_whole_and_in_order() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;

    let call = |path: &str, closing: &str| {
        let token = bobby.token.reveal();
        format!("GET {path} HTTP/1.1\r\nHost: h\r\n{closing}Authorization: Bearer {}\r\n\r\n", *token)
    };
    let poll = call("/v1/events?wait=0", "");
    let calls =
        [&poll, &call("/v1/nowhere", ""), &poll, &poll, &call("/v1/nowhere", "Connection: close\r\n")];
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(calls.map(String::as_str).concat().as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();

    let mut bodies = Vec::new();
    while let Some((head, rest)) = answers.split_once("\r\n\r\n") {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let (body, rest) = rest.split_at(length.parse().unwrap());
        bodies.push(body.to_owned());
        answers = rest.to_owned();
    }
    let told =
        |body: &String| body.contains(&id.to_string()) && serde_json::from_str::<EventBatch>(body).is_ok();
    assert_eq!(bodies.iter().map(told).collect::<Vec<_>>(), [true, false, true, true, false], "{bodies:?}");
    assert!(answers.is_empty());
    app.stop().await;
}
