//! Nothing retained: what passed through the coordinator can't be found in its memory a minute later, although
//! all sessions go on.
//!
//! All lifetimes are a tenth of the real ones, so the minute is 6 s. One second more is for what has no
//! lifetime of its own to shorten: a parked poll is not cut to less than a second.

use std::time::Duration;

use hearsay_tests::{
    api_client::ApiClient,
    clock,
    coordinator::Coordinator,
    memory::{Canary, Sighting, look, may_look},
    nginx::{Nginx, Scheme},
    scripted::ScriptedPeer,
    session::Session,
};
use protocol::{
    FileId, Root,
    introduction::{HeardReply, Reply},
};
use tokio::{net::TcpListener, task::JoinSet};

const LIFETIMES: &str = "
lifetimes.search_seconds = 1
lifetimes.search_grace_seconds = 0.45
lifetimes.introduction_seconds = 6
lifetimes.event_seconds = 6
lifetimes.content_connection_seconds_min = 2
lifetimes.content_connection_seconds_max = 5
lifetimes.keep_alive_seconds = 1
";
const REST: Duration = Duration::from_secs(7);
/// Calls go on while the traffic is forgotten, and polls park over its end.
const POLL_SECONDS: u64 = 3;

/// One way of the traffic: who takes part and what must be forgotten.
struct Traffic {
    sessions: [Session; 3],
    canaries: Vec<Canary>,
}

/// A search that finds a file, an introduction for it, and the word on it. `tag` makes all of it unique.
async fn traffic(client: impl Fn() -> ApiClient, tag: &str) -> Traffic {
    let [seeking, holding, standing_by] = ["seek", "hold", "near"].map(|who| format!("{who}{tag}"));
    let query = format!("wanted{tag} thing");
    let name = format!("Some{tag} wanted{tag} thing.flac");
    let root = Root::from_bytes(rand::random());
    let mut seeker = ScriptedPeer::in_session(Session::connect_by(client(), &seeking).await);
    let mut holder = ScriptedPeer::in_session(Session::connect_by(client(), &holding).await);
    let mut bystander = Session::connect_by(client(), &standing_by).await;

    let file = FileId::new(root, 4_711).unwrap();
    let (found, ()) = tokio::join!(seeker.find(&query), holder.offer(&name, file));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let invited = seeker.invite(&found, &listener).await;
    let opened = holder.next_introduction().await;
    assert_eq!(opened.invitation.message_key, invited.message_key);
    let _ = holder.session.reply(invited.id, &Reply::Accepted {}).await.expect(204);
    assert_eq!(seeker.word_on(&invited).await, HeardReply::Accepted {});
    // Whoever is connected hears each query.
    let heard = bystander.poll(0).await.expect(200);
    assert!(heard.body.contains(&query));
    // A search that nobody answers, over a connection that rests afterwards.
    let _ = bystander.search(&format!("{query} by root or not")).await;

    let mut canaries = vec![
        Canary::new("the seeker's username", seeking),
        Canary::new("the holder's username", holding),
        Canary::new("the bystander's username", standing_by),
        Canary::new("the query", query),
        Canary::new("the file name", format!("Some{tag}")),
        Canary::new("the folded file name", format!("some{tag}")),
        Canary::new("the root", root.as_bytes().as_slice()),
        Canary::new("the root in digits", root.to_string()),
        Canary::new("the message-key", invited.message_key.as_bytes().as_slice()),
        Canary::new("the message-key in digits", invited.message_key.reveal().as_str()),
    ];
    let sessions = [seeker.session, holder.session, bystander];
    for session in &sessions {
        canaries.push(Canary::new("a sealed name", session.name_token()));
    }
    Traffic { sessions, canaries }
}

/// Polls on for as long as the rest lasts, and a little longer: the session stays, its connections are used.
async fn poll_on(mut session: Session) {
    let started = clock::now();
    while started.elapsed() < REST + Duration::from_secs(1) {
        let answer = session.poll(POLL_SECONDS).await;
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    }
}

async fn look_now(coordinator: &Coordinator, canaries: &[Canary]) -> Vec<Sighting> {
    let (process, canaries) = (coordinator.process_id(), canaries.to_vec());
    tokio::task::spawn_blocking(move || look(process, &canaries).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_after_traffic_its_words_are_not_in_the_coordinators_memory() {
    let coordinator = Coordinator::configured(LIFETIMES).await;
    if let Err(error) = may_look(coordinator.process_id()) {
        skipped(&error);
        return coordinator.stop().await;
    }
    let nginx = Nginx::in_front_of(coordinator.address(), Scheme::Http).await;
    let direct = format!("http://{}", coordinator.address());
    let by_proxy = nginx.url();
    // One after the other, so that no holder takes the other way's search for its own.
    let direct = traffic(|| ApiClient::without_proxy(&direct), "qzdirect").await;
    let by_proxy = traffic(|| ApiClient::to(&by_proxy), "qzproxied").await;
    let canaries = [direct.canaries, by_proxy.canaries].concat();

    let at_once = look_now(&coordinator, &canaries).await;
    // Introductions are still pending: what looks for the words must find them now.
    assert!(!at_once.is_empty(), "nothing to forget, so nothing is shown");
    let mut sessions = JoinSet::new();
    for session in direct.sessions.into_iter().chain(by_proxy.sessions) {
        sessions.spawn(poll_on(session));
    }
    tokio::time::sleep(REST).await;
    let after_rest = look_now(&coordinator, &canaries).await;
    assert_eq!(sessions.len(), 6, "all sessions are still connected");
    sessions.join_all().await;
    assert!(after_rest.is_empty(), "{after_rest:#?}, of {} at once", at_once.len());

    coordinator.stop().await;
    nginx.stop().await;
}

#[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped(error: &std::io::Error) {
    eprintln!("SKIPPED: reading the memory of another process is not permitted here ({error})");
}
