//! What a coordinator behind nginx says to requests that are wrong: the right status and problem code, nothing
//! of the request repeated, and the sessions of others undisturbed.

use hearsay_tests::{
    api_client::{Answer, ApiClient, send},
    scene::Scene,
    session::{Session, claim},
};
use protocol::{
    Code, Event, IntroductionId, Root, SearchId, SessionToken,
    introduction::{IntroductionRequest, Sealed},
    session::ConnectResponse,
};
use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// In every wrong request; in no answer and no log.
const CANARY: &str = "canaryzwitscher";

/// Sends it and asserts the refusal.
async fn refused(what: &str, request: RequestBuilder, code: Code) {
    let answer = send(request).await;
    assert_eq!(answer.status, code.status(), "{what}: {answer:?}");
    answer.expect_problem(code);
    assert!(!answer.body.contains(CANARY), "{what} is repeated: {answer:?}");
}

fn with_text(request: RequestBuilder, body: impl Into<String>) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body.into())
}

fn good_connect() -> Value {
    json!({ "username": CANARY, "token": *SessionToken::random().reveal(), "version": protocol::VERSION })
}

/// A connect request in which one field is something else.
fn connect_with(field: &str, value: Value) -> Value {
    let mut request = good_connect();
    request[field] = value;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_should_be() {
    let scene = Scene::start().await;
    let client = scene.client();
    let sessions = || client.post("/v1/sessions");
    let invalid = Code::RequestInvalid;

    refused("malformed JSON", with_text(sessions(), format!("{{\"username\": \"{CANARY}")), invalid).await;
    refused("an empty body", with_text(sessions(), ""), invalid).await;
    refused("an array", with_text(sessions(), format!("[\"{CANARY}\"]")), invalid).await;
    refused("deep nesting", with_text(sessions(), "[".repeat(10_000)), invalid).await;
    refused(
        "invalid UTF-8",
        sessions().header(CONTENT_TYPE, "application/json").body(b"{\"a\":\"\xff\"}".to_vec()),
        invalid,
    )
    .await;
    for (field, value) in [
        ("username", json!(7)),
        ("token", json!("short")),
        ("token", json!(["a"])),
        ("version", json!("one")),
        ("version", json!(-1)),
        ("version", json!(1.5)),
        ("name_token", json!({})),
        (CANARY, json!("an unknown field")),
    ] {
        refused(field, sessions().json(&connect_with(field, value)), invalid).await;
    }
    refused("no username", sessions().json(&json!({ "version": 1 })), invalid).await;
    refused(
        "two documents",
        with_text(sessions(), format!("{} {}", good_connect(), good_connect())),
        invalid,
    )
    .await;

    let form = sessions().header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(CANARY);
    refused("a form", form, Code::MediaTypeUnsupported).await;
    refused("no media type", sessions().body(good_connect().to_string()), Code::MediaTypeUnsupported).await;

    // 128 KiB and a byte meets the coordinator's limit, 300 KiB that of nginx: one answer.
    for size in [128 * 1024 + 1, 300 * 1024] {
        let large = json!({ "username": "x".repeat(size), "canary": CANARY }).to_string();
        refused("an oversized body", with_text(sessions(), large), Code::BodyTooLarge).await;
    }

    let zwitscher = json!(format!("{CANARY} {CANARY}"));
    refused("a bad name", sessions().json(&connect_with("username", zwitscher)), Code::UsernameInvalid).await;
    let mixed = json!(format!("{CANARY}ж"));
    refused("mixed scripts", sessions().json(&connect_with("username", mixed)), Code::UsernameInvalid).await;
    let later = connect_with("version", json!(protocol::VERSION + 1));
    refused("a later version", sessions().json(&later), Code::VersionUnsupported).await;

    claim(&client, "still.there", &SessionToken::random()).await.expect(201).json::<ConnectResponse>();
    assert!(!scene.coordinator.stderr().contains(CANARY), "{}", scene.coordinator.stderr());
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_and_methods_that_are_not_there_and_health_that_is_elsewhere() {
    let scene = Scene::start().await;
    let client = scene.client();
    for path in
        ["/", "/v1", "/v2/sessions", "/v1/users", "/v1/sessions/canaryzwitscher", "/livez", "/metrics"]
    {
        refused(path, client.get(path), Code::RouteUnknown).await;
    }
    for (method, path) in [
        (Method::GET, "/v1/sessions"),
        (Method::PATCH, "/v1/session"),
        (Method::POST, "/v1/events"),
        (Method::PUT, "/v1/session"),
    ] {
        refused(path, client.request(method, path), Code::MethodNotAllowed).await;
    }
    let ops = ApiClient::to(&scene.coordinator.ops_url());
    for path in ["/livez", "/readyz"] {
        let _ = send(ops.get(path)).await.expect(200);
    }
    scene.stop().await;
}

/// Every call that needs a session, with a body that is right.
fn calls(client: &ApiClient) -> Vec<RequestBuilder> {
    let search = SearchId::random();
    let introduction = IntroductionId::random();
    vec![
        client.get("/v1/events?wait=0"),
        client.delete("/v1/session"),
        client.put(&format!("/v1/searches/{search}")).json(&json!({ "query": CANARY })),
        client.delete(&format!("/v1/searches/{search}")),
        client.post(&format!("/v1/searches/{search}/answer")).json(&an_answer(1)),
        client.put(&format!("/v1/introductions/{introduction}")).json(&an_introduction(5000)),
        client.delete(&format!("/v1/introductions/{introduction}")),
        client.put(&format!("/v1/introductions/{introduction}/reply")).json(&json!({ "state": "accepted" })),
    ]
}

fn an_answer(matches: usize) -> Value {
    let one = json!({ "name": format!("{CANARY}.txt"), "size": 1, "root": Root::from_bytes([1; 32]) });
    json!({
        "reply_key": "00".repeat(32),
        "certificate_sha256": "00".repeat(32),
        "matches": vec![one; matches],
    })
}

fn an_introduction(port: u16) -> IntroductionRequest {
    IntroductionRequest { to: CANARY.parse().unwrap(), port, sealed: Sealed::new(vec![0; 4096]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_missing_forged_or_of_somebody_else() {
    let scene = Scene::start().await;
    let holder = scene.session("holder").await;
    let other = scene.session("other").await;
    let client = scene.client();

    let forged = SessionToken::random();
    for call in calls(&client) {
        refused("no token", call, Code::TokenInvalid).await;
    }
    for call in calls(&client) {
        refused("a forged token", call.bearer_auth(forged.reveal().as_str()), Code::TokenInvalid).await;
    }
    for header in ["Bearer", "Bearer ", "Bearer canaryzwitscher", "Basic aG9sZGVyOng=", "canaryzwitscher"] {
        let call = client.get("/v1/events?wait=0").header("Authorization", header);
        refused(header, call, Code::TokenInvalid).await;
    }

    // The calls that carry a username want the one of this very session.
    let answer = || client.post(&format!("/v1/searches/{}/answer", SearchId::random())).json(&an_answer(1));
    refused("no name", holder.authorise(answer()), Code::NameTokenInvalid).await;
    let borrowed = holder.authorise(answer()).header("Hearsay-Name", other.name_token());
    refused("a borrowed name", borrowed, Code::NameTokenInvalid).await;
    let made_up = holder.authorise(answer()).header("Hearsay-Name", CANARY);
    refused("a made-up name", made_up, Code::NameTokenInvalid).await;

    holder.disconnect().await;
    other.disconnect().await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_cursors_and_values_that_mean_nothing() {
    let scene = Scene::start().await;
    let mut session = scene.session("session").await;
    let client = session.client().clone();
    let put = |path: &str, body: Value| session.authorise_by_name(client.put(path).json(&body));
    let unknown_search = format!("/v1/searches/{}", SearchId::random());
    let unknown_introduction = format!("/v1/introductions/{}", IntroductionId::random());

    let post_answer =
        session.authorise_by_name(client.post(&format!("{unknown_search}/answer")).json(&an_answer(1)));
    refused("an answer to no search", post_answer, Code::SearchOver).await;
    let too_many =
        session.authorise_by_name(client.post(&format!("{unknown_search}/answer")).json(&an_answer(101)));
    refused("too many matches", too_many, Code::RequestInvalid).await;
    let reply = put(&format!("{unknown_introduction}/reply"), json!({ "state": "accepted" }));
    refused("a reply to no introduction", reply, Code::IntroductionOver).await;
    for path in ["/v1/searches/canaryzwitscher", "/v1/searches/00"] {
        refused(path, put(path, json!({ "query": "long enough" })), Code::RequestInvalid).await;
    }

    for query in ["", "ab", "a b c", &"x".repeat(129)] {
        refused(query, put(&unknown_search, json!({ "query": query })), Code::QueryInvalid).await;
    }
    for body in [json!({}), json!({ "query": "long enough", "size": 1 }), json!({ "root": "00", "size": 1 })]
    {
        refused("a search for nothing in particular", put(&unknown_search, body), Code::RequestInvalid).await;
    }
    for port in [0, 22, 1023] {
        let request =
            session.authorise_by_name(client.put(&unknown_introduction).json(&an_introduction(port)));
        refused("a port of the system", request, Code::PortInvalid).await;
    }
    let no_port = json!({ "to": CANARY, "port": 70_000, "sealed": "" });
    refused("no port at all", put(&unknown_introduction, no_port), Code::RequestInvalid).await;
    let state = json!({ "state": CANARY });
    refused("an unknown word", put(&format!("{unknown_introduction}/reply"), state), Code::RequestInvalid)
        .await;

    for (query, code) in [
        ("cursor=canaryzwitscher&wait=0", Code::CursorInvalid),
        ("wait=soon", Code::RequestInvalid),
        ("wait=-1", Code::RequestInvalid),
    ] {
        let poll = session.authorise(client.get(&format!("/v1/events?{query}")));
        refused(query, poll, code).await;
    }

    // After all that the session is what it was.
    let other = scene.session("other").await;
    let search = other.search("still there").await;
    session
        .next("the search", |event| matches!(event, Event::Search { id, .. } if *id == search).then_some(()))
        .await;
    assert!(!scene.coordinator.stderr().contains(CANARY), "{}", scene.coordinator.stderr());
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_handed_on_is_the_observed_one_whatever_is_claimed() {
    let scene = Scene::start().await;
    let mut target = scene.session("target").await;
    let requester = scene.session("requester").await;
    let id = IntroductionId::random();
    let request =
        IntroductionRequest { to: target.username().clone(), port: 4821, sealed: Sealed::new(vec![0; 4096]) };
    let call = requester.client().put(&format!("/v1/introductions/{id}")).json(&request);
    let call = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP"]
        .into_iter()
        .fold(call, |call, header| {
            call.header(header, if header == "Forwarded" { "for=203.0.113.9" } else { "203.0.113.9" })
        });
    let _ = send(requester.authorise_by_name(call)).await.expect(202);
    let endpoint = target
        .next("the introduction", |event| match event {
            Event::Introduction { endpoint, .. } => Some(*endpoint),
            _ => None,
        })
        .await;
    assert_eq!(endpoint.to_string(), "127.0.0.1:4821");
    scene.stop().await;
}

/// What does not depend on who is asked: a name that is there and one that is not.
fn outside(answer: &Answer) -> (u16, &Option<String>, &str) {
    (answer.status, &answer.content_type, &answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_introduction_does_not_tell_whether_its_target_is_there() {
    let scene = Scene::start().await;
    let target = scene.session("target").await;
    let requester = scene.session("requester").await;
    let ask = async |to: &str| {
        let request =
            IntroductionRequest { to: to.parse().unwrap(), port: 4821, sealed: Sealed::new(vec![0; 4096]) };
        requester.introduce(IntroductionId::random(), &request).await
    };
    let there = ask("target").await.expect(202);
    let not_there = ask("nobody").await.expect(202);
    assert_eq!(outside(&there), outside(&not_there));
    drop(target);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_is_answered_as_the_first_and_does_nothing_more() {
    let scene = Scene::start().await;
    let client = scene.client();
    let token = SessionToken::random();
    for _ in 0..3 {
        let _ = claim(&client, "repeater", &token).await.expect(201);
    }
    let searcher = scene.session("searcher").await;
    let mut listener: Session = scene.session("listener").await;
    let (id, next) = (SearchId::random(), SearchId::random());
    for _ in 0..3 {
        let _ = searcher.put_search(id, "said more than once").await.expect(202);
    }
    let _ = searcher.put_search(next, "said after it").await.expect(202);
    let mut heard = Vec::new();
    listener
        .next("both searches", |event| {
            if let Event::Search { id, .. } = event {
                heard.push(*id);
            }
            heard.contains(&next).then_some(())
        })
        .await;
    assert_eq!(heard, [id, next]);
    let stolen = listener.put_search(id, "somebody else's id").await.expect(409);
    stolen.expect_problem(Code::IdTaken);
    scene.stop().await;
}
