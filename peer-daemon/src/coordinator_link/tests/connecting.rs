//! Claiming a username, keeping it, letting it go.

use std::{net::Ipv4Addr, time::Duration};

use protocol::{Code, Problem};

use super::{Daemon, MemoryNames, is_connected, name};
use crate::coordinator_link::{
    ConnectError, LinkEvent, LinkStatus, Timings,
    fake_coordinator::{FakeCoordinator, Fault},
};

const CONNECT: &str = "POST /v1/sessions";
const DISCONNECT: &str = "DELETE /v1/session";

#[tokio::test]
async fn a_connect_is_told_and_the_name_token_kept_and_shown_the_next_time() {
    let fake = FakeCoordinator::start().await;
    let names = MemoryNames::default();
    let mut daemon = Daemon::start_with(fake.config(), names.clone());
    assert_eq!(*daemon.link.status().borrow(), LinkStatus::Idle);
    assert_eq!(*daemon.link.reached().borrow(), None);
    daemon.link.connect(name("alice")).await.unwrap();
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    assert_eq!(*daemon.link.reached().borrow(), Some(Ipv4Addr::LOCALHOST.into()));
    let status = daemon.link.status().borrow().clone();
    assert!(matches!(status, LinkStatus::Connected { username, limits, .. }
        if username == name("alice") && limits.pending_introductions == 64));
    assert_eq!(names.get("alice").as_deref(), Some("seal-1"));
    let body = &fake.seen(CONNECT)[0].body;
    assert_eq!((body["username"].as_str(), body.get("name_token")), (Some("alice"), None));
    daemon.stop().await;

    let daemon = Daemon::start_with(fake.config(), names);
    daemon.link.connect(name("alice")).await.unwrap();
    assert_eq!(fake.seen(CONNECT)[1].body["name_token"], "seal-1");
    daemon.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_by_its_kind_and_ends_the_attempts() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::start(fake.config());
    let refusals = [
        (Code::UsernameTaken, ConnectError::UsernameTaken),
        (Code::UsernameInvalid, ConnectError::UsernameInvalid),
        (Code::JoinKeyWrong, ConnectError::JoinKeyWrong),
    ];
    for (number, (code, expected)) in refusals.into_iter().enumerate() {
        fake.fault(CONNECT, Fault::Problem(code, None));
        let problem = expected.to_string();
        assert_eq!(daemon.link.connect(name("alice")).await, Err(expected));
        let refused = LinkStatus::Refused { username: name("alice"), problem };
        assert_eq!(*daemon.link.status().borrow(), refused);
        assert_eq!(fake.seen(CONNECT).len(), number + 1, "it was tried again");
    }
    daemon.link.disconnect().await;
    assert_eq!(*daemon.link.status().borrow(), LinkStatus::Idle);
    daemon.link.connect(name("alice")).await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_coordinator_of_another_version_is_told_with_both_and_with_who_is_to_update() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::start(fake.config());
    for (theirs, remedy) in
        [(2, "version 1: update peer-daemon"), (0, "version 1: ask whoever runs the coordinator")]
    {
        let problem = Problem { version: Some(theirs), ..Problem::new(Code::VersionUnsupported) };
        fake.fault(CONNECT, Fault::Foreign(426, serde_json::to_string(&problem).unwrap()));
        let refused = daemon.link.connect(name("alice")).await.unwrap_err();
        assert_eq!(refused, ConnectError::VersionUnsupported { theirs: Some(theirs) });
        let sentence = refused.to_string();
        assert!(sentence.contains(&format!("speaks protocol version {theirs}")), "{sentence}");
        assert!(sentence.contains(remedy), "{sentence}");
        assert!(
            matches!(&*daemon.link.status().borrow(), LinkStatus::Connecting { problem: Some(problem), .. } if *problem == sentence)
        );
    }
    assert_eq!(fake.seen(CONNECT).len(), 2, "it was tried again soon");
    daemon.stop().await;
}

#[tokio::test]
async fn a_coordinator_that_is_updated_later_is_found_again() {
    let fake = FakeCoordinator::start().await;
    let mut config = fake.config();
    config.timings.other_version = config.timings.backoff;
    let daemon = Daemon::start(config);
    fake.fault(CONNECT, Fault::Problem(Code::VersionUnsupported, None));
    let refused = daemon.link.connect(name("alice")).await.unwrap_err();
    assert!(refused.to_string().ends_with("it is tried again within half an hour"), "{refused}");
    daemon.until_status(is_connected).await;
    daemon.stop().await;
}

#[test]
fn attempts_at_a_coordinator_of_another_version_are_rare_and_spread() {
    let range = Timings::default().other_version;
    let minutes = |random| range.wait(0, random).as_secs() / 60;
    assert_eq!((minutes(0.0), minutes(1.0)), (15, 30));
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_time_and_the_link_waits_it_out() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::start(fake.config());
    fake.fault(CONNECT, Fault::Problem(Code::RateLimited, Some(1)));
    let retry_after = Duration::from_secs(1);
    assert_eq!(daemon.link.connect(name("alice")).await, Err(ConnectError::RateLimited { retry_after }));
    let refused_at = crate::clock::now();
    daemon.until_status(is_connected).await;
    assert!(refused_at.elapsed() > Duration::from_millis(900), "it came back too early");
    daemon.stop().await;
}

#[tokio::test]
async fn out_of_reach_the_reason_is_told_and_the_link_goes_on_by_itself() {
    let mut fake = FakeCoordinator::start().await;
    fake.go_away().await;
    let mut daemon = Daemon::start(fake.config());
    let Err(ConnectError::Unreachable(sentence)) = daemon.link.connect(name("alice")).await else {
        panic!("it was reached")
    };
    assert!(sentence.contains("refused"), "{sentence}");
    daemon.until_status(|status| matches!(status, LinkStatus::Connecting { problem: Some(_), .. })).await;
    fake.come_back().await;
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    daemon.until_status(is_connected).await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_person_need_not_wait_for_the_backoff() {
    let mut fake = FakeCoordinator::start().await;
    fake.go_away().await;
    let mut config = fake.config();
    config.timings.backoff.first = Duration::from_hours(1);
    config.timings.backoff.max = Duration::from_hours(1);
    let daemon = Daemon::start(config);
    assert!(daemon.link.connect(name("alice")).await.is_err());
    fake.come_back().await;
    daemon.link.connect(name("alice")).await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_lost_response_costs_no_second_session() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::start(fake.config());
    fake.fault(CONNECT, Fault::LostResponse);
    assert!(matches!(daemon.link.connect(name("alice")).await, Err(ConnectError::Unreachable(_))));
    daemon.until_status(is_connected).await;
    assert_eq!(fake.session_count(), 1);
    let seen = fake.seen(CONNECT);
    assert!(seen.windows(2).all(|pair| pair[0].body["token"] == pair[1].body["token"]), "{seen:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_name_token_that_the_coordinator_can_not_open_is_given_up() {
    let fake = FakeCoordinator::start().await;
    let names = MemoryNames::default();
    names.0.lock().unwrap().insert("alice".to_owned(), "of an earlier key".to_owned());
    let daemon = Daemon::start_with(fake.config(), names);
    fake.fault(CONNECT, Fault::Problem(Code::NameTokenInvalid, None));
    daemon.link.connect(name("alice")).await.unwrap();
    assert!(fake.seen(CONNECT)[1].body.get("name_token").is_none());
    daemon.stop().await;
}

#[tokio::test]
async fn the_name_token_is_renewed_under_the_same_session() {
    let fake = FakeCoordinator::start().await;
    let mut config = fake.config();
    config.timings.renewal = Duration::from_millis(20);
    let daemon = Daemon::start(config);
    daemon.link.connect(name("alice")).await.unwrap();
    let seen = fake.until_seen(CONNECT, 4).await;
    for (number, renewal) in seen.iter().enumerate().skip(1) {
        assert_eq!(renewal.body["token"], seen[0].body["token"]);
        assert_eq!(renewal.body["name_token"], format!("seal-{number}"));
    }
    assert_eq!(fake.session_count(), 1);
    assert_ne!(daemon.names.get("alice").as_deref(), Some("seal-1"), "the renewed one was not kept");
    daemon.stop().await;
}

#[tokio::test]
async fn disconnecting_ends_the_session_and_so_does_taking_another_name() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    daemon.link.connect(name("bob")).await.unwrap();
    assert_eq!((fake.session_count(), fake.seen(DISCONNECT).len()), (1, 1));
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    daemon.link.disconnect().await;
    assert_eq!((fake.session_count(), fake.seen(DISCONNECT).len()), (0, 2));
    assert_eq!(*daemon.link.status().borrow(), LinkStatus::Idle);
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    daemon.stop().await;
}

#[tokio::test]
async fn connecting_as_what_one_is_does_nothing() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    daemon.link.connect(name("alice")).await.unwrap();
    assert_eq!((fake.seen(CONNECT).len(), fake.seen(DISCONNECT).len()), (1, 0));
    daemon.stop().await;
}

#[tokio::test]
async fn the_end_of_the_daemon_is_the_end_of_the_session() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    daemon.stop().await;
    assert_eq!(fake.session_count(), 0);
}

#[tokio::test]
async fn a_coordinator_that_is_gone_does_not_keep_the_daemon_from_ending() {
    let mut fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    fake.go_away().await;
    let link = daemon.link.clone();
    daemon.stop().await;
    assert_eq!(link.connect(name("alice")).await, Err(ConnectError::GivenUp));
    link.disconnect().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (fake, other) = (FakeCoordinator::start().await, FakeCoordinator::start().await);
    fake.fault(CONNECT, Fault::Redirect(format!("{}v1/sessions", other.config().url)));
    let daemon = Daemon::start(fake.config());
    let Err(ConnectError::Unreachable(sentence)) = daemon.link.connect(name("alice")).await else {
        panic!("the redirect was followed")
    };
    assert!(sentence.contains("redirect"), "{sentence}");
    assert!(other.seen("").is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn another_server_is_not_taken_for_a_coordinator() {
    let fake = FakeCoordinator::start().await;
    fake.fault(CONNECT, Fault::Foreign(200, "<html>welcome to our wifi".to_owned()));
    let daemon = Daemon::start(fake.config());
    let Err(ConnectError::Unreachable(sentence)) = daemon.link.connect(name("alice")).await else {
        panic!("it was believed")
    };
    assert!(sentence.contains("no coordinator") && !sentence.contains("wifi"), "{sentence}");
    daemon.stop().await;
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_a_coordinator_sends() {
    let fake = FakeCoordinator::start().await;
    fake.fault(CONNECT, Fault::Foreign(200, " ".repeat(1 << 20)));
    let daemon = Daemon::start(fake.config());
    let refusal = daemon.link.connect(name("alice")).await;
    assert_eq!(refusal, Err(ConnectError::Unreachable("the coordinator's answer is too large".to_owned())));
    daemon.stop().await;
}

#[tokio::test]
async fn a_name_that_is_refused_leaves_the_held_one_and_its_session_as_they_are() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.fault(CONNECT, Fault::Problem(Code::UsernameTaken, None));
    assert_eq!(daemon.link.connect(name("bob")).await, Err(ConnectError::UsernameTaken));
    assert!(matches!(&*daemon.link.status().borrow(), LinkStatus::Connected { username, .. }
        if *username == name("alice")));
    assert_eq!((fake.session_count(), fake.seen(DISCONNECT).len()), (1, 0));
    let event = protocol::Event::EventsLost { count: 1 };
    fake.push(&event);
    assert_eq!(daemon.next().await, LinkEvent::Event(event), "it is polled on, and was never let go");
    let seen = fake.seen(CONNECT);
    assert_ne!(seen[0].body["token"], seen[1].body["token"], "the new name has a session of its own");
    daemon.stop().await;
}

#[tokio::test]
async fn a_new_name_is_claimed_before_the_old_one_is_let_go() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    daemon.link.connect(name("bob")).await.unwrap();
    let order: Vec<String> = fake.seen("").into_iter().map(|seen| seen.call).collect();
    let claimed = order.iter().rposition(|call| call == CONNECT).unwrap();
    let let_go = order.iter().position(|call| call == DISCONNECT).unwrap();
    assert!(claimed < let_go, "{order:?}");
    assert_eq!(fake.seen(CONNECT).len(), 2, "and claimed once");
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    assert_eq!(daemon.names.get("bob").as_deref(), Some("seal-2"));
    daemon.stop().await;
}

#[tokio::test]
async fn the_held_name_in_other_letters_is_claimed_by_the_token_of_the_held_one() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    daemon.link.connect(name("Alice")).await.unwrap();
    assert_eq!(fake.seen(CONNECT)[1].body["name_token"], "seal-1");
    daemon.stop().await;
}

#[tokio::test]
async fn at_the_start_a_taken_name_is_sought_until_our_old_session_must_have_lapsed() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::start(fake.config());
    for _ in 0..3 {
        fake.fault(CONNECT, Fault::Problem(Code::UsernameTaken, None));
    }
    daemon.link.connect_at_start(name("alice")).await.unwrap();
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    assert_eq!(fake.seen(CONNECT).len(), 4);
    daemon.stop().await;

    let mut config = fake.config();
    config.timings.start_patience = Duration::from_millis(100);
    let daemon = Daemon::start(config);
    for _ in 0..50 {
        fake.fault(CONNECT, Fault::Problem(Code::UsernameTaken, None));
    }
    let begun = crate::clock::now();
    assert_eq!(daemon.link.connect_at_start(name("alice")).await, Err(ConnectError::UsernameTaken));
    assert!(begun.elapsed() >= Duration::from_millis(100), "one attempt comes after the lease");
    assert!(matches!(*daemon.link.status().borrow(), LinkStatus::Refused { .. }));
    daemon.stop().await;
}

#[tokio::test]
async fn a_person_who_asks_is_answered_at_once_also_while_the_start_is_patient() {
    let fake = FakeCoordinator::start().await;
    let mut config = fake.config();
    config.timings.backoff.first = Duration::from_hours(1);
    config.timings.backoff.max = Duration::from_hours(1);
    let daemon = Daemon::start(config);
    for _ in 0..2 {
        fake.fault(CONNECT, Fault::Problem(Code::UsernameTaken, None));
    }
    let link = daemon.link.clone();
    let at_start = daemon.tracker.spawn(async move { link.connect_at_start(name("alice")).await });
    daemon.until_status(|status| matches!(status, LinkStatus::Connecting { problem: Some(_), .. })).await;
    assert_eq!(daemon.link.connect(name("alice")).await, Err(ConnectError::UsernameTaken));
    assert_eq!(at_start.await.unwrap(), Err(ConnectError::GivenUp));
    daemon.stop().await;
}
