//! Nothing retained: what passed through the coordinator can't be found in its memory a minute later, although
//! all sessions go on; nor in anything that it or the proxy before it ever wrote.
//!
//! That the looking finds what is there is shown first: every kind of word is looked for while it rightly is in
//! memory. `cargo xtask canary` shows that the test fails when freed memory is not zeroed.
//!
//! All lifetimes are a tenth of the real ones, so the minute is 6 s; `cargo xtask canary --minute` has the real ones. One second more is for what has no
//! lifetime of its own to shorten: a parked poll is not cut to less than a second.

use std::{collections::BTreeSet, env, time::Duration};

use hearsay_tests::{
    api_client::{Answer, ApiClient, send},
    clock,
    coordinator::Coordinator,
    memory::{Canary, Sighting, look, look_into_files, look_into_text, may_look},
    proxy::{Kind, Proxy, Scheme},
    scripted::ScriptedPeer,
    session::{Session, claim},
    wait::{PATIENCE, until},
};
use protocol::{
    CertificateSha256, FileId, IntroductionId, ReplyKey, Root, SafeName, SearchId, SessionToken,
    introduction::{HeardReply, IntroductionRequest, Reply, Sealed},
    search::{AnswerRequest, Match},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

const SHORTENED: &str = "
lifetimes.search_seconds = 1
lifetimes.search_grace_seconds = 0.45
lifetimes.introduction_seconds = 6
lifetimes.event_seconds = 6
lifetimes.content_connection_seconds_min = 2
lifetimes.content_connection_seconds_max = 5
lifetimes.keep_alive_seconds = 1
";
const LIMITS: &str = "
limits.searches_burst = 1000
limits.introductions_burst = 1000
";
const REST_SHORTENED: Duration = Duration::from_secs(7);
/// With it, nothing is shortened: `cargo xtask canary --minute`.
const MINUTE_VARIABLE: &str = "HEARSAY_TESTS_MINUTE";
const REST: Duration = Duration::from_secs(61);
/// Calls go on while the traffic is forgotten, and polls park over its end.
const POLL_SECONDS: u64 = 3;

/// One way of the traffic: who takes part and what must be forgotten.
struct Traffic {
    sessions: Vec<Session>,
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
    let sessions = vec![seeker.session, holder.session, bystander];
    for session in &sessions {
        canaries.push(Canary::new("a sealed name", session.name_token()));
    }
    Traffic { sessions, canaries }
}

/// Words that are rightly in memory: those of a search that runs, and of mail that nobody has fetched yet. Looks
/// until each of them is seen; the memory is looked at while it changes, so one look may miss what moves.
async fn seen_while_there(coordinator: &Coordinator, client: ApiClient) -> (Traffic, Vec<Answer>) {
    let tag = "qzthere";
    let [seeking, holding] = ["seek", "hold"].map(|who| format!("{who}{tag}"));
    let (query, name) = (format!("wanted{tag} thing"), format!("Some{tag} wanted{tag} thing.flac"));
    let (root, reply_key) = (Root::from_bytes(rand::random()), ReplyKey::from_bytes(rand::random()));
    let seeker = Session::connect_by(client.clone(), &seeking).await;
    let holder = Session::connect_by(client.clone(), &holding).await;
    let kinds = vec![
        Canary::new("the seeker's username", seeking.clone()),
        Canary::new("the holder's username", holding),
        Canary::new("the query", query.clone()),
        Canary::new("the file name", name.clone()),
        Canary::new("the root in digits", root.to_string()),
        Canary::new("the reply key in digits", reply_key.to_string()),
    ];
    let answer = AnswerRequest {
        reply_key,
        certificate_sha256: CertificateSha256::from_bytes([3; 32]),
        matches: vec![Match { name: SafeName::parse(&name).unwrap(), size: 4_711, root, folder: None }],
    };
    let introduction =
        IntroductionRequest { to: holder.username().clone(), port: 4_821, sealed: Sealed::new(vec![7; 40]) };
    let id = IntroductionId::random();
    let mut unseen: BTreeSet<String> = kinds.iter().map(|kind| kind.what.clone()).collect();
    until("every kind of word is seen in memory", PATIENCE, async || {
        // A search is over after a second here: every look has one of its own.
        let search = seeker.search(&query).await;
        let _ = holder.answer(search, &answer).await;
        let _ = seeker.introduce(id, &introduction).await.expect(202);
        for sighting in look_now(coordinator, &kinds).await {
            unseen.remove(&sighting.what);
        }
        unseen.is_empty().then_some(())
    })
    .await;

    // Refusals of what has these words in it.
    let mut unsafe_answer = serde_json::to_value(&answer).unwrap();
    unsafe_answer["matches"][0]["name"] = format!("../{name}").into();
    let answer_path = format!("/v1/searches/{}/answer", SearchId::random());
    let refusals = vec![
        claim(&client, &seeking, &SessionToken::random()).await,
        seeker.put_search(SearchId::random(), &query.repeat(20)).await,
        send(holder.authorise_by_name(client.post(&answer_path)).json(&unsafe_answer)).await,
        send(client.post("/v1/sessions").json(&json!({ "username": seeking, "file": name }))).await,
    ];
    for refusal in &refusals {
        assert!((400..500).contains(&refusal.status), "{refusal:?}");
    }
    (Traffic { sessions: vec![seeker, holder], canaries: kinds }, refusals)
}

/// Nothing that anyone can read tells any of the words.
async fn nothing_is_written(
    coordinator: &Coordinator,
    nginx: &Proxy,
    refusals: &[Answer],
    canaries: &[Canary],
) {
    let metrics = send(ApiClient::to(&coordinator.ops_url()).get("/metrics")).await.expect(200).body;
    let mut written = vec![
        ("the coordinator's log", coordinator.stderr()),
        ("metrics", metrics),
        ("nginx's log", nginx.log()),
    ];
    written.extend(refusals.iter().map(|refusal| ("a refusal", refusal.body.clone())));
    let mut sightings = look_into_files(nginx.folder(), canaries).unwrap();
    for (what, text) in written {
        sightings.extend(look_into_text(what, text.as_bytes(), canaries));
    }
    assert!(sightings.is_empty(), "{sightings:#?}");
}

/// Polls on for as long as the rest lasts, and a little longer: the session stays, its connections are used.
async fn poll_on(mut session: Session, rest: Duration) {
    let started = clock::now();
    while started.elapsed() < rest + Duration::from_secs(1) {
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
    let (lifetimes, rest) = match env::var_os(MINUTE_VARIABLE) {
        None => (SHORTENED, REST_SHORTENED),
        Some(_) => ("", REST),
    };
    let coordinator = Coordinator::configured(&format!("{lifetimes}{LIMITS}")).await;
    if let Err(error) = may_look(coordinator.process_id()) {
        skipped(&error);
        return coordinator.stop().await;
    }
    let nginx = Proxy::in_front_of(Kind::Nginx, coordinator.address(), Scheme::Http).await;
    let direct = format!("http://{}", coordinator.address());
    let by_proxy = nginx.url();
    // One after the other, so that no holder takes the other way's search for its own.
    let direct = traffic(|| ApiClient::without_proxy(&direct), "qzdirect").await;
    let by_proxy = traffic(|| ApiClient::to(&by_proxy), "qzproxied").await;
    let (there, refusals) = seen_while_there(&coordinator, ApiClient::to(&nginx.url())).await;
    let canaries = [direct.canaries, by_proxy.canaries, there.canaries].concat();

    let mut sessions = JoinSet::new();
    for session in direct.sessions.into_iter().chain(by_proxy.sessions).chain(there.sessions) {
        sessions.spawn(poll_on(session, rest));
    }
    tokio::time::sleep(rest).await;
    let after_rest = look_now(&coordinator, &canaries).await;
    assert_eq!(sessions.len(), 8, "all sessions are still connected");
    sessions.join_all().await;
    nothing_is_written(&coordinator, &nginx, &refusals, &canaries).await;
    assert!(after_rest.is_empty(), "the coordinator has not forgotten: {after_rest:#?}");

    coordinator.stop().await;
    nginx.stop().await;
}

#[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped(error: &std::io::Error) {
    eprintln!("SKIPPED: reading the memory of another process is not permitted here ({error})");
}
