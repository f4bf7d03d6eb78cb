//! The long-poll: at least once, acknowledged never again, one live poll a session.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use protocol::{Code, Event, EventBatch};
use serde_json::json;

use crate::{
    harness::{TestApp, TestPeer, expect, refused},
    observed::send,
};

#[tokio::test]
async fn an_event_whose_response_was_lost_comes_again_until_acknowledged() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;
    let first: EventBatch = expect(bobby.poll_with(None, 5).await, 200).await;
    let again: EventBatch = expect(bobby.poll_with(None, 5).await, 200).await;
    assert_eq!(first, again);
    assert!(matches!(first.events[..], [Event::Introduction { id: heard, .. }] if heard == id));

    bobby.cursor = Some(first.cursor.clone());
    bobby.hears_nothing().await;
    bobby.cursor = None;
    bobby.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_is_cut_off_while_it_waits_loses_nothing() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    for _ in 0..5 {
        let cut_off = tokio::time::timeout(Duration::from_millis(50), bobby.poll_with(None, 30)).await;
        assert!(cut_off.is_err());
    }
    app.until_parked(0).await;
    let id = alice.introduce("bobby").await;
    assert!(matches!(bobby.event().await, Event::Introduction { id: heard, .. } if heard == id));
    app.stop().await;
}

#[tokio::test]
async fn a_newer_poll_ends_the_older() {
    let app = TestApp::start();
    let peer = app.connect("alice").await;
    let (older, newer) = tokio::join!(peer.poll_with(None, 10), async {
        app.until_parked(1).await;
        peer.poll_with(None, 0).await
    });
    refused(older, Code::Superseded).await;
    assert_eq!(newer.status(), 204);
    app.stop().await;
}

#[tokio::test]
async fn a_parked_poll_wakes_for_a_search_and_for_mail() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let (event, search) = tokio::join!(bobby.event(), async {
        app.until_parked(1).await;
        alice.search("holiday").await
    });
    assert!(matches!(event, Event::Search { id, .. } if id == search));
    let (event, introduction) = tokio::join!(bobby.event(), async {
        app.until_parked(1).await;
        alice.introduce("bobby").await
    });
    assert!(matches!(event, Event::Introduction { id, .. } if id == introduction));
    app.stop().await;
}

#[tokio::test]
async fn the_parked_polls_of_all_workers_wake_for_a_search() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    // Each over a connection of its own, and connections go to workers in turns.
    let mut others = Vec::new();
    for number in 0..6 {
        others.push(app.connect(&format!("peer{number}-of-six")).await);
    }
    let (heard, search) = tokio::join!(join_all(others.iter_mut().map(TestPeer::event)), async {
        app.until_parked(6).await;
        alice.search("holiday").await
    });
    for event in heard {
        assert!(matches!(event, Event::Search { id, .. } if id == search));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_quiet_poll_ends_after_its_wait() {
    let app = TestApp::start_with(|config| config.lifetimes.wait_max = Duration::from_millis(300));
    let peer = app.connect("alice").await;
    let started = Instant::now();
    assert_eq!(peer.poll_with(None, 50).await.status(), 204);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(send(peer.request(reqwest::Method::GET, "/v1/events")).await.status(), 204);
    app.stop().await;
}

#[tokio::test]
async fn a_cursor_is_the_sessions_own() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let carol = app.connect("carol").await;
    alice.search("holiday").await;
    bobby.events().await;
    for wrong in [bobby.cursor.as_deref().unwrap(), "0", "zz", &"f".repeat(48)] {
        refused(carol.poll_with(Some(wrong), 0).await, Code::CursorInvalid).await;
    }
    // One that is ahead of anything told would acknowledge what was never read.
    let own = bobby.cursor.clone().unwrap();
    let ahead = format!("{}{:016x}{}", &own[..16], 99, &own[32..]);
    refused(bobby.poll_with(Some(&ahead), 0).await, Code::CursorInvalid).await;
    app.stop().await;
}

#[tokio::test]
async fn an_overflow_is_told() {
    let app = TestApp::start_with(|config| {
        config.limits.mailbox_events = 3;
        config.limits.introductions_burst = 10.try_into().unwrap();
    });
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;
    for _ in 0..4 {
        assert_eq!(alice.put_introduction(id, "bobby", 4821).await.status(), 202);
    }
    let events = bobby.events().await;
    assert_eq!(events[0], Event::EventsLost { count: 2 });
    assert_eq!(events.len(), 4);
    bobby.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn a_batch_is_what_the_contract_says() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("Holiday Photos").await;
    let batch: serde_json::Value = expect(bobby.poll_with(None, 5).await, 200).await;
    let event = json!({ "type": "search", "id": id, "query": "Holiday Photos", "spread_milliseconds": 0 });
    assert_eq!(batch["events"], json!([event]), "and no username");
    app.stop().await;
}
