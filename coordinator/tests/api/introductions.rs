//! Introductions: who is told what, and that nobody learns who is online.

use std::time::Duration;

use protocol::{
    Code, Event, IntroductionId, SessionToken,
    introduction::{DeclineReason, HeardReply, QueueReason},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{TestApp, TestPeer, refused},
    observed::send,
};

async fn heard(peer: &mut TestPeer<'_>) -> (IntroductionId, HeardReply) {
    match peer.event().await {
        Event::IntroductionReply { id, reply } => (id, reply),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_introduction_and_the_words_on_it_reach_the_other() {
    let app = TestApp::start();
    let mut alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.introduce("Bobby").await;
    match bobby.event().await {
        Event::Introduction { id: heard, from, endpoint, sealed } => {
            assert_eq!((heard, from.as_str()), (id, "alice"));
            assert_eq!(endpoint, "127.0.0.1:4821".parse().unwrap());
            assert_eq!(sealed.as_bytes(), [7; 40]);
        }
        other => panic!("{other:?}"),
    }
    let words = [
        (
            json!({ "state": "queued", "position": 2, "reason": "busy" }),
            HeardReply::Queued { position: 2, reason: QueueReason::Busy },
        ),
        (json!({ "state": "accepted" }), HeardReply::Accepted {}),
        (
            json!({ "state": "dial_me", "port": 4822 }),
            HeardReply::DialMe { endpoint: "127.0.0.1:4822".parse().unwrap() },
        ),
        (
            json!({ "state": "declined", "reason": "file_gone" }),
            HeardReply::Declined { reason: DeclineReason::FileGone, version: None },
        ),
    ];
    for (word, wanted) in words {
        for _ in 0..2 {
            assert_eq!(bobby.reply(id, &word).await.status(), 204);
        }
        assert_eq!(heard(&mut alice).await, (id, wanted), "once, though said twice");
    }
    app.stop().await;
}

#[tokio::test]
async fn sending_again_reaches_the_target_again_with_the_current_address() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;
    bobby.events().await;
    assert_eq!(alice.put_introduction(id, "bobby", 5000).await.status(), 202);
    let again = bobby.event().await;
    assert!(matches!(again, Event::Introduction { id: heard, endpoint, .. }
        if heard == id && endpoint.port() == 5000));
    refused(alice.put_introduction(id, "carol", 4821).await, Code::IdTaken).await;
    refused(bobby.put_introduction(id, "bobby", 4821).await, Code::IdTaken).await;
    app.stop().await;
}

#[tokio::test]
async fn a_name_that_nobody_holds_is_answered_like_any_other() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    app.connect("bobby").await;
    let mut answers = Vec::new();
    for to in ["bobby", "nobody", "8obby", "alice"] {
        let id = IntroductionId::random();
        let response = alice.put_introduction(id, to, 4821).await;
        let mut headers = response.headers().clone();
        headers.remove("date");
        answers.push((response.status(), headers, response.text().await.unwrap()));
        let unknown = alice.reply(id, &json!({ "state": "accepted" })).await;
        if to != "alice" {
            refused(unknown, Code::IntroductionOver).await;
        }
        assert_eq!(alice.delete_introduction(id).await.status(), 204);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    app.stop().await;
}

#[tokio::test]
async fn only_the_target_replies_and_only_the_maker_withdraws() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let carol = app.connect("carol").await;
    let id = alice.introduce("bobby").await;
    bobby.events().await;
    let accepted = json!({ "state": "accepted" });
    for stranger in [&alice, &carol] {
        refused(stranger.reply(id, &accepted).await, Code::IntroductionOver).await;
    }
    for stranger in [&bobby, &carol] {
        refused(stranger.delete_introduction(id).await, Code::IntroductionOver).await;
    }
    assert_eq!(alice.delete_introduction(id).await.status(), 204);
    assert_eq!(bobby.event().await, Event::IntroductionWithdrawn { id });
    refused(bobby.reply(id, &accepted).await, Code::IntroductionOver).await;
    assert_eq!(alice.delete_introduction(id).await.status(), 204, "a repeat is answered alike");
    bobby.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn only_the_observed_address_is_handed_on() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = IntroductionId::random();
    let path = format!("/v1/introductions/{id}");
    let body = json!({ "to": "bobby", "port": 4821, "sealed": "AAAA" });
    let spoofed = alice
        .named(Method::PUT, &path)
        .header("X-Forwarded-For", "203.0.113.66")
        .header("Forwarded", "for=203.0.113.66")
        .header("X-Real-IP", "203.0.113.66")
        .json(&body);
    assert_eq!(send(spoofed).await.status(), 202);
    assert!(matches!(bobby.event().await, Event::Introduction { endpoint, .. }
        if endpoint == "127.0.0.1:4821".parse().unwrap()));

    let named = json!({ "to": "bobby", "port": 4821, "sealed": "AAAA", "address": "203.0.113.66" });
    let response = send(alice.named(Method::PUT, &path).json(&named)).await;
    refused(response, Code::RequestInvalid).await;
    for port in [0, 22, 1023] {
        let response = alice.put_introduction(IntroductionId::random(), "bobby", port).await;
        refused(response, Code::PortInvalid).await;
        let dial_me = json!({ "state": "dial_me", "port": port });
        refused(bobby.reply(id, &dial_me).await, Code::PortInvalid).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_the_one_it_tells_or_none() {
    let app = TestApp::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let put = |forwarded: &'static str| {
        let path = format!("/v1/introductions/{}", IntroductionId::random());
        let body = json!({ "to": "bobby", "port": 4821, "sealed": "AAAA" });
        send(alice.named(Method::PUT, &path).header("X-Forwarded-For", forwarded).json(&body))
    };
    refused(alice.put_introduction(IntroductionId::random(), "bobby", 4821).await, Code::AddressUnknown)
        .await;
    refused(put("203.0.113.66, unknown").await, Code::AddressUnknown).await;
    assert_eq!(put("203.0.113.66, 198.51.100.1").await.status(), 202);
    let event = bobby.event().await;
    let Event::Introduction { id, endpoint, .. } = event else { panic!("{event:?}") };
    assert_eq!(endpoint, "198.51.100.1:4821".parse().unwrap());
    let dial_me = json!({ "state": "dial_me", "port": 4822 });
    refused(bobby.reply(id, &dial_me).await, Code::AddressUnknown).await;
    app.stop().await;
}

#[tokio::test]
async fn an_introduction_ends_by_itself() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.introduction = Duration::from_millis(300);
        config.lifetimes.event = Duration::from_millis(300);
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;
    crate::harness::eventually(|| async { bobby.poll_with(None, 0).await.status() == 204 }).await;
    refused(bobby.reply(id, &json!({ "state": "accepted" })).await, Code::IntroductionOver).await;
    app.stop().await;
}

#[tokio::test]
async fn an_introduction_moves_on_with_the_name_to_the_next_session() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.introduce("bobby").await;
    bobby.events().await;
    let mut next = app.connect_with("alice", SessionToken::random(), Some(&alice.name_token)).await;
    assert_eq!(next.put_introduction(id, "bobby", 4821).await.status(), 202);
    assert!(matches!(bobby.event().await, Event::Introduction { id: heard, .. } if heard == id));
    assert_eq!(bobby.reply(id, &json!({ "state": "accepted" })).await.status(), 204);
    assert_eq!(heard(&mut next).await, (id, HeardReply::Accepted {}));
    app.stop().await;
}

#[tokio::test]
async fn introductions_are_limited_by_session_and_by_address() {
    let app = TestApp::start_with(|config| {
        config.limits.introductions_burst = 3.try_into().unwrap();
        config.limits.handed_out_per_minute = 4.try_into().unwrap();
    });
    let alice = app.connect("alice").await;
    let carol = app.connect("carol").await;
    for to in ["peer-1", "peer-2", "peer-3"] {
        alice.introduce(to).await;
    }
    let response = alice.put_introduction(IntroductionId::random(), "peer-4", 4821).await;
    refused(response, Code::RateLimited).await;
    carol.introduce("peer-1").await;
    let response = carol.put_introduction(IntroductionId::random(), "peer-2", 4821).await;
    refused(response, Code::RateLimited).await;
    app.stop().await;
}
