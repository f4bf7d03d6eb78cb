//! Calls beside the poll: repeated where that helps, given up where it does not.

use std::time::Duration;

use protocol::{
    CertificateSha256, Code, IntroductionId, Problem, ReplyKey, SearchId,
    introduction::{IntroductionRequest, Reply, Sealed},
    match_rule::Query,
    search::{AnswerRequest, Subject},
};

use super::{Daemon, name};
use crate::coordinator_link::{
    CallError, LinkEvent,
    fake_coordinator::{FakeCoordinator, Fault},
};

const SEARCH: &str = "PUT /v1/searches/";

fn subject() -> Subject {
    Subject::Query(Query::parse("manual").unwrap())
}

fn introduction() -> IntroductionRequest {
    IntroductionRequest { to: name("bob"), port: 4821, sealed: Sealed::new(vec![1, 2, 3]) }
}

#[tokio::test]
async fn each_call_has_its_route_and_only_those_that_need_it_carry_the_name() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    let link = &daemon.link;
    let (search, intro) = (SearchId::random(), IntroductionId::random());
    assert_eq!(link.search(search, &subject()).await, Ok(Duration::from_secs(7)));
    let reply_key = ReplyKey::from_bytes([1; 32]);
    let certificate_sha256 = CertificateSha256::from_bytes([2; 32]);
    link.answer(search, &AnswerRequest { reply_key, certificate_sha256, matches: Vec::new() }).await.unwrap();
    assert_eq!(link.introduce(intro, &introduction()).await, Ok(Duration::from_secs(7)));
    link.reply(intro, &Reply::DialMe { port: 4822 }).await.unwrap();
    link.withdraw_search(search).await.unwrap();
    link.withdraw_introduction(intro).await.unwrap();
    let token = fake.seen("POST /v1/sessions")[0].body["token"].as_str().unwrap().to_owned();
    for (call, is_named) in [
        (format!("PUT /v1/searches/{search}"), false),
        (format!("POST /v1/searches/{search}/answer"), true),
        (format!("PUT /v1/introductions/{intro}"), true),
        (format!("PUT /v1/introductions/{intro}/reply"), false),
        (format!("DELETE /v1/searches/{search}"), false),
        (format!("DELETE /v1/introductions/{intro}"), false),
    ] {
        let seen = fake.seen("").into_iter().find(|seen| seen.call == call).expect("a call did not arrive");
        assert_eq!(seen.bearer.as_deref(), Some(token.as_str()), "{call}");
        assert_eq!(seen.name.as_deref(), is_named.then_some("seal-1"), "{call}");
    }
    assert_eq!(fake.seen(SEARCH)[0].body["query"], "manual");
    daemon.stop().await;
}

#[tokio::test]
async fn without_a_session_a_call_fails_at_once() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::start(fake.config());
    assert_eq!(daemon.link.search(SearchId::random(), &subject()).await, Err(CallError::NotConnected));
    daemon.stop().await;
}

#[tokio::test]
async fn out_of_reach_a_call_fails_with_the_reason_as_soon_as_that_is_known() {
    let mut fake = FakeCoordinator::start().await;
    fake.go_away().await;
    let daemon = Daemon::start(fake.config());
    assert!(daemon.link.connect(name("alice")).await.is_err());
    let Err(CallError::Unreachable(sentence)) = daemon.link.search(SearchId::random(), &subject()).await
    else {
        panic!("the call succeeded")
    };
    assert!(sentence.contains("refused"), "{sentence}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_lost_response_is_asked_for_again_with_the_same_words() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    fake.fault(SEARCH, Fault::LostResponse);
    assert!(daemon.link.search(SearchId::random(), &subject()).await.is_ok());
    let seen = fake.seen(SEARCH);
    assert_eq!((&seen[0].call, &seen[0].body), (&seen[1].call, &seen[1].body));
    daemon.stop().await;
}

#[tokio::test]
async fn a_call_that_finds_the_session_lapsed_brings_it_back_and_goes_through() {
    let fake = FakeCoordinator::start().await;
    let mut daemon = Daemon::connected(&fake).await;
    fake.fault("PUT /v1/introductions/", Fault::Problem(Code::TokenInvalid, None));
    assert!(daemon.link.introduce(IntroductionId::random(), &introduction()).await.is_ok());
    let seen = fake.seen("PUT /v1/introductions/");
    assert_ne!(seen[0].bearer, seen[1].bearer, "the lapsed token was shown again");
    assert_eq!(seen[1].name.as_deref(), Some("seal-2"));
    assert_eq!(daemon.next().await, LinkEvent::Disconnected);
    assert_eq!(daemon.next().await, LinkEvent::Connected);
    daemon.stop().await;
}

#[tokio::test]
async fn a_session_that_never_works_ends_the_call_and_not_the_daemon() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    for _ in 0..5 {
        fake.fault(SEARCH, Fault::Problem(Code::TokenInvalid, None));
    }
    let outcome = daemon.link.search(SearchId::random(), &subject()).await;
    assert_eq!(outcome, Err(CallError::Problem(Problem::new(Code::TokenInvalid))));
    assert_eq!(fake.seen(SEARCH).len(), 3);
    daemon.stop().await;
}

#[tokio::test]
async fn a_limit_is_waited_out_within_the_deadline_and_told_beyond_it() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    fake.fault(SEARCH, Fault::Problem(Code::RateLimited, Some(1)));
    let begun = crate::clock::now();
    assert!(daemon.link.search(SearchId::random(), &subject()).await.is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(1));

    fake.fault(SEARCH, Fault::Problem(Code::RateLimited, Some(60)));
    let retry_after = Duration::from_mins(1);
    let outcome = daemon.link.search(SearchId::random(), &subject()).await;
    assert_eq!(outcome, Err(CallError::RateLimited { retry_after }));
    assert_eq!(fake.seen(SEARCH).len(), 3, "it was sent again all the same");
    daemon.stop().await;
}

#[tokio::test]
async fn a_refusal_is_not_argued_with_and_what_is_over_need_not_be_withdrawn() {
    let fake = FakeCoordinator::start().await;
    let daemon = Daemon::connected(&fake).await;
    fake.fault("PUT", Fault::Problem(Code::AddressUnknown, None));
    let outcome = daemon.link.introduce(IntroductionId::random(), &introduction()).await;
    assert_eq!(outcome, Err(CallError::Problem(Problem::new(Code::AddressUnknown))));
    assert_eq!(fake.seen("PUT").len(), 1);

    fake.fault("DELETE", Fault::Problem(Code::SearchOver, None));
    assert_eq!(daemon.link.withdraw_search(SearchId::random()).await, Ok(()));
    daemon.stop().await;
}

#[tokio::test]
async fn a_silent_coordinator_is_given_up_at_the_deadline() {
    let fake = FakeCoordinator::start().await;
    let mut config = fake.config();
    config.timings.attempt = Duration::from_millis(100);
    config.timings.call = Duration::from_millis(250);
    let daemon = Daemon::start(config);
    daemon.link.connect(name("alice")).await.unwrap();
    for _ in 0..3 {
        fake.fault(SEARCH, Fault::Silence);
    }
    let outcome = daemon.link.search(SearchId::random(), &subject()).await;
    // One more attempt would have been answered.
    assert!(matches!(outcome, Err(CallError::Unreachable(_))), "{outcome:?}");
    let attempts = fake.seen(SEARCH).len();
    assert!((1..=3).contains(&attempts), "{attempts}");
    daemon.stop().await;
}
