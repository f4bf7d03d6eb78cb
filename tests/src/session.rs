//! A session at the coordinator, held by the test itself: a peer without files, manners or retries.

use std::{collections::VecDeque, time::Duration};

use protocol::{
    Event, EventBatch, FileId, IntroductionId, SearchId, SessionToken, Username,
    introduction::{IntroductionRequest, Reply},
    paths::NAME_HEADER,
    search::AnswerRequest,
    session::{ConnectRequest, ConnectResponse, NameToken},
};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::{
    api_client::{Answer, ApiClient, send},
    wait::{PATIENCE, within},
};

/// How long one poll is parked: short, so that a test that waits for nothing ends soon.
const POLL_SECONDS: u64 = 5;

pub struct Session {
    client: ApiClient,
    username: Username,
    token: SessionToken,
    name_token: NameToken,
    cursor: Option<String>,
    events: VecDeque<Event>,
}

/// Claims a username; the answer may be a refusal.
pub async fn claim(client: &ApiClient, username: &str, token: &SessionToken) -> Answer {
    let request = ConnectRequest {
        username: username.to_owned(),
        token: token.clone(),
        version: protocol::VERSION,
        name_token: None,
        join_key: None,
    };
    send(client.post("/v1/sessions").json(&request)).await
}

impl Session {
    pub async fn connect(url: &str, username: &str) -> Self {
        Self::connect_by(ApiClient::to(url), username).await
    }

    pub async fn connect_by(client: ApiClient, username: &str) -> Self {
        Self::connect_with(client, username, SessionToken::random()).await
    }

    /// With a token of the test's choice.
    pub async fn connect_with(client: ApiClient, username: &str, token: SessionToken) -> Self {
        let response: ConnectResponse = claim(&client, username, &token).await.expect(201).json();
        Self {
            client,
            username: username.parse().expect("a good username"),
            token,
            name_token: response.name_token,
            cursor: None,
            events: VecDeque::new(),
        }
    }

    pub fn username(&self) -> &Username {
        &self.username
    }

    pub fn client(&self) -> &ApiClient {
        &self.client
    }

    /// The username under the coordinator's seal.
    pub fn name_token(&self) -> &str {
        self.name_token.reveal()
    }

    /// Adds the session's token to a request.
    pub fn authorise(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.token.reveal().as_str())
    }

    /// Adds the token and the sealed username, which some calls need.
    pub fn authorise_by_name(&self, request: RequestBuilder) -> RequestBuilder {
        self.authorise(request).header(NAME_HEADER, self.name_token.reveal())
    }

    /// One poll as it is answered; `wait` in seconds.
    pub async fn poll(&mut self, wait: u64) -> Answer {
        // A cursor is made of characters that a URL takes as they are.
        let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let request = self.client.get(&format!("/v1/events?wait={wait}{cursor}"));
        let answer = send(self.authorise(request)).await;
        if answer.status == 200 {
            let batch: EventBatch = answer.json();
            self.cursor = Some(batch.cursor);
            self.events.extend(batch.events);
        }
        answer
    }

    /// Polls until an event comes that `pick` takes; those before it are passed over.
    pub async fn next<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let what = format!("{} hears of {what}", self.username);
        within(&what, PATIENCE, async {
            loop {
                while let Some(event) = self.events.pop_front() {
                    if let Some(picked) = pick(&event) {
                        return picked;
                    }
                }
                let answer = self.poll(POLL_SECONDS).await;
                assert!(matches!(answer.status, 200 | 204), "{answer:?}");
            }
        })
        .await
    }

    /// The events that earlier polls brought.
    pub fn take_heard(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// All events that have come by now and were not looked at.
    pub async fn heard_so_far(&mut self) -> Vec<Event> {
        let answer = self.poll(0).await;
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        self.events.drain(..).collect()
    }

    pub async fn search(&self, query: &str) -> SearchId {
        let id = SearchId::random();
        let _ = self.put_search(id, query).await.expect(202);
        id
    }

    pub async fn search_by_root(&self, file: &FileId) -> SearchId {
        let id = SearchId::random();
        let request = self.client.put(&format!("/v1/searches/{id}")).json(file);
        let _ = send(self.authorise(request)).await.expect(202);
        id
    }

    pub async fn put_search(&self, id: SearchId, query: &str) -> Answer {
        let request = self.client.put(&format!("/v1/searches/{id}")).json(&json!({ "query": query }));
        send(self.authorise(request)).await
    }

    pub async fn answer(&self, search: SearchId, answer: &AnswerRequest) -> Answer {
        let request = self.client.post(&format!("/v1/searches/{search}/answer")).json(answer);
        send(self.authorise_by_name(request)).await
    }

    pub async fn introduce(&self, id: IntroductionId, request: &IntroductionRequest) -> Answer {
        let request = self.client.put(&format!("/v1/introductions/{id}")).json(request);
        send(self.authorise_by_name(request)).await
    }

    pub async fn reply(&self, id: IntroductionId, reply: &Reply) -> Answer {
        let request = self.client.put(&format!("/v1/introductions/{id}/reply")).json(reply);
        send(self.authorise(request)).await
    }

    pub async fn disconnect(self) {
        let _ = send(self.authorise(self.client.delete("/v1/session"))).await.expect(204);
    }

    /// Goes away in the middle of a poll, without a word, as a laptop whose lid is closed.
    pub async fn vanish(mut self, after: Duration) {
        let polling = async {
            loop {
                let _ = self.poll(POLL_SECONDS).await;
            }
        };
        let _cut_off = tokio::time::timeout(after, polling).await;
    }
}
