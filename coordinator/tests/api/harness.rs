//! A coordinator on a free port, and peers whose methods are the API's calls.

use std::time::Duration;

use coordinator::{
    config::{Config, Listen},
    reload::Reloader,
    server::{ServeError, Server},
};
use protocol::{
    CertificateSha256, Event, EventBatch, FolderSummary, IntroductionId, Problem, ReplyKey, Root, SafeName,
    SearchId, SessionToken,
    introduction::Sealed,
    search::{AnswerRequest, Match},
    session::ConnectResponse,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::observed::send;

/// No single step of a test takes longer; a test that hangs says where.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestApp {
    pub(crate) base: String,
    pub(crate) ops: String,
    client: reqwest::Client,
    pub(crate) reloader: Reloader,
    stop: CancellationToken,
    server: JoinHandle<Result<(), ServeError>>,
}

/// Free ports, and limits that many peers from one address don't reach.
pub(crate) fn config() -> Config {
    let mut config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        ops_listen: Some("127.0.0.1:0".parse().unwrap()),
        workers: 2.try_into().unwrap(),
        ..Config::default()
    };
    config.limits.claims_per_minute = 1_000.try_into().unwrap();
    config.lifetimes.drain = Duration::from_millis(100);
    config
}

impl TestApp {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        let server = Server::bind(config).unwrap();
        let Listen::Tcp(address) = server.addr().clone() else { panic!("the harness speaks TCP") };
        let ops = server.ops_addr().unwrap();
        let stop = CancellationToken::new();
        let reloader = server.reloader();
        let server = tokio::spawn(server.run_until(stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            base: format!("http://{address}"),
            ops: format!("http://{ops}"),
            client,
            reloader,
            stop,
            server,
        }
    }

    /// Asserts that the server ends cleanly.
    pub(crate) async fn stop(self) {
        self.begin_stop();
        tokio::time::timeout(PATIENCE, self.server).await.unwrap().unwrap().unwrap();
    }

    /// Ends it without waiting for the end of a drain.
    pub(crate) fn abandon(self) {
        self.server.abort();
    }

    pub(crate) fn begin_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).timeout(PATIENCE)
    }

    pub(crate) async fn post_session(&self, body: &Value) -> Response {
        send(self.request(Method::POST, "/v1/sessions").json(body)).await
    }

    /// Connects under a name that must be free.
    pub(crate) async fn connect(&self, username: &str) -> TestPeer<'_> {
        self.connect_with(username, SessionToken::random(), None).await
    }

    pub(crate) async fn connect_with(
        &self,
        username: &str,
        token: SessionToken,
        name_token: Option<&str>,
    ) -> TestPeer<'_> {
        let body = connect_body(username, &token, name_token);
        let answer: ConnectResponse = expect(self.post_session(&body).await, 201).await;
        let name_token = answer.name_token.reveal().to_owned();
        TestPeer { app: self, token, name_token, cursor: None }
    }

    pub(crate) async fn ops(&self, path: &str) -> (StatusCode, String) {
        let response = send(self.client.get(format!("{}{path}", self.ops)).timeout(PATIENCE)).await;
        (response.status(), response.text().await.unwrap())
    }

    /// Waits until so many polls are parked.
    pub(crate) async fn until_parked(&self, polls: usize) {
        let wanted = format!("hearsay_parked_polls {polls}");
        eventually(|| async { self.ops("/metrics").await.1.lines().any(|line| line == wanted) }).await;
    }
}

/// Looks again and again until the condition holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.expect("the condition never held");
}

pub(crate) fn connect_body(username: &str, token: &SessionToken, name_token: Option<&str>) -> Value {
    let mut body = json!({ "username": username, "token": *token.reveal(), "version": protocol::VERSION });
    if let Some(name_token) = name_token {
        body["name_token"] = name_token.into();
    }
    body
}

/// A connected peer. One method a call.
pub(crate) struct TestPeer<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) token: SessionToken,
    pub(crate) name_token: String,
    /// Of the last batch that arrived.
    pub(crate) cursor: Option<String>,
}

impl TestPeer<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).bearer_auth(&*self.token.reveal())
    }

    pub(crate) fn named(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header(protocol::paths::NAME_HEADER, &self.name_token)
    }

    pub(crate) async fn disconnect(&self) -> Response {
        send(self.request(Method::DELETE, "/v1/session")).await
    }

    pub(crate) async fn poll_with(&self, cursor: Option<&str>, wait: u64) -> Response {
        send(self.poll_request(cursor, wait)).await
    }

    pub(crate) fn poll_request(&self, cursor: Option<&str>, wait: u64) -> RequestBuilder {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.request(Method::GET, &format!("/v1/events?wait={wait}{cursor}"))
    }

    /// The next events, acknowledging those before.
    pub(crate) async fn events(&mut self) -> Vec<Event> {
        // Longer than an answer is waited for: it has to be woken.
        let wait = 2 * PATIENCE.as_secs();
        let batch: EventBatch = expect(self.poll_with(self.cursor.as_deref(), wait).await, 200).await;
        self.cursor = Some(batch.cursor);
        batch.events
    }

    /// The next event, which must come alone.
    pub(crate) async fn event(&mut self) -> Event {
        let mut events = self.events().await;
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    /// Asserts that nothing has come.
    pub(crate) async fn hears_nothing(&self) {
        let response = self.poll_with(self.cursor.as_deref(), 0).await;
        assert_eq!(response.status(), 204, "{:?}", response.text().await);
    }

    pub(crate) async fn put_search(&self, id: &str, body: &Value) -> Response {
        send(self.request(Method::PUT, &format!("/v1/searches/{id}")).json(body)).await
    }

    /// Searches by name.
    pub(crate) async fn search(&self, query: &str) -> SearchId {
        let id = SearchId::random();
        let response = self.put_search(&id.to_string(), &json!({ "query": query })).await;
        assert_eq!(response.status(), 202);
        id
    }

    pub(crate) async fn delete_search(&self, id: SearchId) -> Response {
        send(self.request(Method::DELETE, &format!("/v1/searches/{id}"))).await
    }

    pub(crate) async fn answer(&self, id: SearchId, matches: Vec<Match>) -> Response {
        let request = self.named(Method::POST, &format!("/v1/searches/{id}/answer"));
        send(request.json(&answer(matches))).await
    }

    pub(crate) async fn put_introduction(&self, id: IntroductionId, to: &str, port: u16) -> Response {
        let body = json!({ "to": to, "port": port, "sealed": Sealed::new(vec![7; 40]) });
        send(self.named(Method::PUT, &format!("/v1/introductions/{id}")).json(&body)).await
    }

    /// Asks for an introduction to a peer.
    pub(crate) async fn introduce(&self, to: &str) -> IntroductionId {
        let id = IntroductionId::random();
        assert_eq!(self.put_introduction(id, to, 4821).await.status(), 202);
        id
    }

    pub(crate) async fn reply(&self, id: IntroductionId, body: &Value) -> Response {
        let request = self.request(Method::PUT, &format!("/v1/introductions/{id}/reply"));
        send(request.json(body)).await
    }

    pub(crate) async fn delete_introduction(&self, id: IntroductionId) -> Response {
        send(self.request(Method::DELETE, &format!("/v1/introductions/{id}"))).await
    }
}

pub(crate) fn answer(matches: Vec<Match>) -> AnswerRequest {
    AnswerRequest {
        reply_key: ReplyKey::from_bytes([1; 32]),
        certificate_sha256: CertificateSha256::from_bytes([2; 32]),
        matches,
    }
}

pub(crate) fn file(name: &str, number: u8) -> Match {
    Match {
        name: SafeName::parse(name).unwrap(),
        size: 1000,
        root: Root::from_bytes([number; 32]),
        folder: None,
    }
}

/// A whole folder.
pub(crate) fn folder(name: &str, number: u8) -> Match {
    Match { folder: Some(FolderSummary { files: 12, bytes: 1 << 30 }), ..file(name, number) }
}

/// The body of an answer with the given status.
pub(crate) async fn expect<T: serde::de::DeserializeOwned>(response: Response, status: u16) -> T {
    let got = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Asserts that a call was refused with this code, and in the form that every refusal has.
pub(crate) async fn refused(response: Response, code: protocol::Code) -> Problem {
    let status = response.status();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} {text:?}"));
    assert_eq!((problem.code, status.as_u16()), (code, code.status()), "{text}");
    assert_eq!(problem.status, code.status());
    assert_eq!(headers["content-type"], Problem::CONTENT_TYPE);
    assert_eq!(headers["cache-control"], "no-store");
    problem
}
