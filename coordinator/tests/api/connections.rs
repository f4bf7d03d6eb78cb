//! A connection that carried content does not outlive it for long.

use std::time::{Duration, Instant};

use reqwest::{Response, header::CONNECTION};

use crate::harness::TestApp;

fn is_last(answer: &Response) -> bool {
    answer.headers().get(CONNECTION).is_some_and(|value| value == "close")
}

#[tokio::test]
async fn a_connection_that_carried_content_is_closed_when_its_time_has_come() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.content_connection_min = Duration::from_millis(1_500);
        config.lifetimes.content_connection_max = Duration::from_millis(1_500);
    });
    // The client keeps one connection as long as calls come one after the other.
    let peer = app.connect("alice").await;
    assert!(!is_last(&peer.poll_with(None, 0).await), "not at once: there would be no keeping any");

    let started = Instant::now();
    let parked = peer.poll_with(None, 30).await;
    assert_eq!(parked.status(), 204);
    assert!(is_last(&parked));
    assert!(started.elapsed() < Duration::from_secs(10), "a parked poll does not keep it open");

    let clean = peer.poll_with(None, 2).await;
    assert_eq!(clean.status(), 204);
    assert!(!is_last(&clean), "a connection of polls that heard nothing stays");
    app.stop().await;
}

#[tokio::test]
async fn a_poll_that_heard_something_marks_its_connection() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.content_connection_min = Duration::ZERO;
        config.lifetimes.content_connection_max = Duration::ZERO;
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    assert!(!is_last(&bobby.poll_with(None, 0).await));
    alice.introduce("bobby").await;
    let heard = bobby.poll_with(None, 10).await;
    assert_eq!(heard.status(), 200);
    assert!(is_last(&heard));
    app.stop().await;
}
