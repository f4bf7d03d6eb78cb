//! Events, and the session's life under the poll.

use protocol::{Code, Event};
use serde_json::json;

use super::{Daemon, event, is_connected};
use crate::coordinator_link::{
    LinkEvent, LinkStatus,
    fake_coordinator::{FakeCoordinator, Fault},
};

const POLL: &str = "GET /v1/events";
const CONNECT: &str = "POST /v1/sessions";

#[tokio::test]
async fn events_come_in_order_each_once_acknowledged_by_the_next_poll() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    for number in 1..=20 {
        fake.push(&event(number));
    }
    for number in 1..=20 {
        assert_eq!(daemon.next().await, LinkEvent::Event(event(number)));
    }
    fake.push(&event(21));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(21)));
    daemon.stop().await;
}

#[tokio::test]
async fn an_event_whose_response_was_lost_comes_again() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.until_seen(POLL, 1).await;
    fake.fault(POLL, Fault::LostResponse);
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    fake.push(&event(2));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(2)));
    daemon.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_name_is_claimed_again_by_its_token() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.until_seen(POLL, 1).await;
    fake.forget_sessions();
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    let seen = fake.seen(CONNECT);
    assert_eq!(seen[1].body["name_token"], "seal-1");
    assert_ne!(seen[0].body["token"], seen[1].body["token"], "an old poll could speak for the new session");
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    daemon.stop().await;
}

#[tokio::test]
async fn an_absence_is_told_once_and_ends_by_itself() {
    let mut fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.go_away().await;
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    daemon.until_status(|status| matches!(status, LinkStatus::Connecting { problem: Some(_), .. })).await;
    fake.come_back().await;
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    daemon.until_status(is_connected).await;
    assert_eq!(fake.seen(CONNECT).len(), 1, "the session was still there");
    daemon.stop().await;
}

#[tokio::test]
async fn one_broken_poll_is_not_worth_telling() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.until_seen(POLL, 1).await;
    fake.fault(POLL, Fault::Foreign(502, "<html>".to_owned()));
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    fake.push(&event(2));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(2)));
    daemon.stop().await;
}

#[tokio::test]
async fn nonsense_and_giants_are_survived() {
    let fake = FakeCoordinator::start().await;
    for fault in [
        Fault::Foreign(200, "x".repeat(8 << 20)),
        Fault::Foreign(200, "<html>".to_owned()),
        Fault::Foreign(200, r#"{"cursor":"","events":[]}"#.to_owned()),
        Fault::Foreign(204, String::new()),
        Fault::Problem(Code::Superseded, None),
        Fault::Problem(Code::CursorInvalid, None),
        Fault::Problem(Code::Internal, None),
    ] {
        fake.fault(POLL, fault);
    }
    let mut daemon = Daemon::connected(&fake).await;
    let mut faulty = fake.until_seen(POLL, 8).await;
    faulty.truncate(8);
    assert!(faulty.iter().all(|seen| !seen.call.contains("cursor=")), "{faulty:?}");
    fake.push(&event(1));
    let mut told = daemon.next().await;
    while told != LinkEvent::Event(event(1)) {
        assert!(matches!(told, LinkEvent::Disconnected | LinkEvent::Connected), "{told:?}");
        told = daemon.next().await;
    }
    daemon.until_status(is_connected).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_cursor_that_is_not_known_any_more_is_let_go() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.fault("GET /v1/events?wait=25&cursor=1", Fault::Problem(Code::CursorInvalid, None));
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    fake.push(&event(2));
    // The fake has dropped nothing yet: without a cursor, both come.
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(2)));
    daemon.stop().await;
}

#[tokio::test]
async fn an_event_that_can_not_be_read_does_not_keep_others_back() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.push_raw(&json!({"type": "introduction", "id": "not hexadecimal"}));
    fake.push_raw(&json!({"type": "search_results", "matches": [{"name": "../../etc/passwd"}]}));
    fake.push_raw(&json!({"type": "of_next_year", "anything": 1}));
    fake.push(&event(1));
    assert_eq!(daemon.next().await, LinkEvent::Event(Event::Unknown));
    assert_eq!(daemon.next().await, LinkEvent::Event(event(1)));
    daemon.stop().await;
}

#[tokio::test]
async fn a_session_that_lapses_at_once_every_time_is_not_claimed_in_a_busy_loop() {
    let fake = FakeCoordinator::start().await;
    for _ in 0..6 {
        fake.fault(POLL, Fault::Problem(Code::TokenInvalid, None));
    }
    let begun = crate::clock::now();
    let daemon = Daemon::connected(&fake).await;
    fake.until_seen(CONNECT, 7).await;
    // Halves of 20, 40, 80, 160, 200 and 200 ms.
    assert!(begun.elapsed().as_millis() >= 350, "{:?}", begun.elapsed());
    daemon.stop().await;
}
