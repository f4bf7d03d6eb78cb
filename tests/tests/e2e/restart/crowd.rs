//! Simulated peers that search, answer, ask for introductions and accept them, each from an address of its own; and
//! the ledger of all that they do and hear. Nothing is taken out of it before it is counted.
//!
//! An event may come more than once by design, and a daemon goes by its id: what counts is what follows from it. So
//! these peers act as a daemon's dispatch does. A target dials for each introduction that it hears, unless it is just
//! serving that very one; a requester lets in a dial that it waits for, once, and has no use for any other. "Doubled end
//! to end" is then a second dial for an introduction, and "lost" is one that no dial came for.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use hearsay_tests::{api_client::ApiClient, clock};
use protocol::{
    CertificateSha256, Event, EventBatch, IntroductionId, ReplyKey, Root, SafeName, SearchId, SessionToken,
    introduction::{HeardReply, IntroductionRequest, Sealed},
    paths::NAME_HEADER,
    search::{AnswerRequest, Match},
    session::ConnectResponse,
};
use reqwest::{Method, RequestBuilder, Response, header::RETRY_AFTER};
use serde_json::json;

/// After a call that failed: the coordinator is away. Doubled with each failure and drawn from its second half, as a
/// daemon does it: however long the coordinator was away, those who found nobody don't come all at once.
const PAUSE: Duration = Duration::from_millis(500);
const DOUBLINGS_MAX: u32 = 5;
/// An introduction that no dial followed is sent again, as a daemon does.
const SEND_AGAIN: Duration = Duration::from_secs(3);
/// From one introduction of a requester to its next.
const BETWEEN_INTRODUCTIONS: Duration = Duration::from_millis(1_500);
const BETWEEN_SEARCHES: Duration = Duration::from_secs(2);
/// How long a target serves: for a repeat meanwhile it dials no second time.
const STREAM: Duration = Duration::from_millis(500);
const QUERY: &str = "evergreen";

/// What a peer is there for. All poll, and hear every search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks the next peer for introductions, one after the other.
    Requester,
    Target,
    Searcher,
    /// Answers every search.
    Holder,
    Bystander,
}

/// What became of an introduction.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Calls that were made for it, whether or not they were answered.
    pub(super) sendings: usize,
    /// Events that its target heard.
    pub(super) heard: usize,
    /// What the target did about them.
    pub(super) dials: usize,
    pub(super) streams: usize,
    /// The target's calls with its word, and the events that its requester heard.
    pub(super) replies: usize,
    pub(super) words: usize,
}

#[derive(Default)]
pub(super) struct Ledger {
    /// When a session began, first or again.
    pub(super) connected: Vec<Instant>,
    pub(super) introductions: BTreeMap<IntroductionId, Fate>,
    /// Of each search, when it was made and how many answers its searcher heard.
    pub(super) searches: BTreeMap<SearchId, (Instant, usize)>,
    /// No more introductions are begun.
    pub(super) is_ending: bool,
}

impl Ledger {
    fn fate(&mut self, id: IntroductionId) -> &mut Fate {
        self.introductions.entry(id).or_default()
    }
}

pub(super) struct Peer {
    client: ApiClient,
    number: usize,
    role: Role,
    token: SessionToken,
    name_token: Option<String>,
    cursor: Option<String>,
    /// What it wants of the next peer, and when that was sent last.
    wanted: Option<(IntroductionId, Option<Instant>)>,
    /// When it began an introduction or a search.
    began: Option<Instant>,
    serving: Option<(IntroductionId, Instant)>,
    /// In a row.
    failures: u32,
    ledger: Arc<Mutex<Ledger>>,
}

impl Peer {
    pub(super) fn new(client: &ApiClient, number: usize, role: Role, ledger: &Arc<Mutex<Ledger>>) -> Self {
        Self {
            client: client.clone(),
            number,
            role,
            token: SessionToken::random(),
            name_token: None,
            cursor: None,
            wanted: None,
            began: None,
            serving: None,
            failures: 0,
            ledger: Arc::clone(ledger),
        }
    }

    pub(super) async fn live(mut self) {
        self.connect().await;
        loop {
            match self.role {
                Role::Requester => self.ask().await,
                Role::Searcher => self.search().await,
                Role::Target | Role::Holder | Role::Bystander => {}
            }
            let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let poll = self.call(Method::GET, &format!("/v1/events?wait={}{cursor}", self.wait_seconds()));
            match poll.send().await.ok() {
                Some(response) if response.status() == 200 => {
                    self.failures = 0;
                    if let Ok(batch) = response.json::<EventBatch>().await {
                        self.cursor = Some(batch.cursor);
                        for event in batch.events {
                            self.take(event).await;
                        }
                    }
                }
                Some(response) if response.status() == 401 => self.connect().await,
                Some(response)
                    if response.status() == 204 && !response.headers().contains_key(RETRY_AFTER) => {}
                other => self.pause_after(other).await,
            }
        }
    }

    async fn connect(&mut self) {
        self.token = SessionToken::random();
        self.cursor = None;
        loop {
            let body = json!({
                "username": name(self.number),
                "token": *self.token.reveal(),
                "version": protocol::VERSION,
                "name_token": self.name_token,
            });
            let response = self.call(Method::POST, "/v1/sessions").json(&body).send().await.ok();
            match response {
                Some(response) if response.status() == 201 => {
                    let connected: ConnectResponse = response.json().await.unwrap();
                    self.failures = 0;
                    self.name_token = Some(connected.name_token.reveal().to_owned());
                    self.ledger().connected.push(clock::now());
                    // As a daemon does, what waits is sent again at once.
                    self.wanted = self.wanted.map(|(id, _)| (id, None));
                    return;
                }
                other => self.pause_after(other).await,
            }
        }
    }

    /// As the coordinator says, or because it is away.
    async fn pause_after(&mut self, refused: Option<Response>) {
        let told =
            refused.and_then(|refused| refused.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok());
        let doubled = PAUSE * 2_u32.pow(self.failures.min(DOUBLINGS_MAX));
        self.failures += 1;
        let drawn = || doubled.mul_f64(rand::random_range(0.5..=1.0));
        tokio::time::sleep(told.map_or_else(drawn, Duration::from_secs)).await;
    }

    /// Begins an introduction when it is time, and sends again what had no answer.
    async fn ask(&mut self) {
        let now = clock::now();
        if self.wanted.is_some_and(|(id, _)| self.ledger().fate(id).streams > 0) {
            self.wanted = None;
        }
        if self.wanted.is_none() && self.is_time(now, BETWEEN_INTRODUCTIONS) && !self.ledger().is_ending {
            self.began = Some(now);
            self.wanted = Some((IntroductionId::random(), None));
        }
        let Some((id, sent)) = self.wanted else { return };
        if sent.is_some_and(|sent| now - sent < SEND_AGAIN) {
            return;
        }
        self.wanted = Some((id, Some(now)));
        self.ledger().fate(id).sendings += 1;
        let body = IntroductionRequest {
            to: name(self.number + 1).parse().unwrap(),
            port: 4_821,
            sealed: Sealed::new(vec![7; 40]),
        };
        let _may_be_lost =
            self.call(Method::PUT, &format!("/v1/introductions/{id}")).json(&body).send().await;
    }

    async fn search(&mut self) {
        let now = clock::now();
        if !self.is_time(now, BETWEEN_SEARCHES) {
            return;
        }
        self.began = Some(now);
        let id = SearchId::random();
        self.ledger().searches.insert(id, (now, 0));
        let body = json!({ "query": QUERY });
        let _may_be_lost = self.call(Method::PUT, &format!("/v1/searches/{id}")).json(&body).send().await;
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Introduction { id, .. } => {
                self.ledger().fate(id).heard += 1;
                self.dial(id);
                self.ledger().fate(id).replies += 1;
                let reply = self.call(Method::PUT, &format!("/v1/introductions/{id}/reply"));
                let _may_be_lost = reply.json(&json!({ "state": "accepted" })).send().await;
            }
            Event::IntroductionReply { id, reply: HeardReply::Accepted {} } => {
                self.ledger().fate(id).words += 1;
            }
            Event::Search { id, .. } if self.role == Role::Holder => self.answer(id).await,
            Event::SearchResults { id, .. } => {
                if let Some((_, answers)) = self.ledger().searches.get_mut(&id) {
                    *answers += 1;
                }
            }
            _ => {}
        }
    }

    fn dial(&mut self, id: IntroductionId) {
        let now = clock::now();
        if self.serving.is_some_and(|(serving, until)| serving == id && now < until) {
            return;
        }
        self.serving = Some((id, now + STREAM));
        let mut ledger = self.ledger();
        let fate = ledger.fate(id);
        fate.dials += 1;
        // The requester has no use for a second stream: its message-key was shown.
        fate.streams = 1;
    }

    async fn answer(&self, search: SearchId) {
        let name = SafeName::parse(&format!("{QUERY} of {}.ogg", self.number)).unwrap();
        let root = Root::from_bytes([u8::try_from(self.number % 251).unwrap(); 32]);
        let answer = AnswerRequest {
            reply_key: ReplyKey::from_bytes([1; 32]),
            certificate_sha256: CertificateSha256::from_bytes([2; 32]),
            matches: vec![Match { name, size: 4_711, root, folder: None }],
        };
        let call = self.call(Method::POST, &format!("/v1/searches/{search}/answer"));
        let _may_be_lost = call.json(&answer).send().await;
    }

    /// A call from this peer's address, as the proxy would tell it.
    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let [.., high, low] = self.number.to_be_bytes();
        let call = self.client.request(method, path).bearer_auth(self.token.reveal().as_str());
        call.header("x-forwarded-for", Ipv4Addr::new(127, 1, high, low).to_string())
            .header(NAME_HEADER, self.name_token.as_deref().unwrap_or_default())
    }

    /// Whoever has something to do looks up from its poll in time for it.
    fn wait_seconds(&self) -> u64 {
        match self.role {
            Role::Requester | Role::Searcher => 1,
            Role::Target | Role::Holder | Role::Bystander => 15,
        }
    }

    fn is_time(&self, now: Instant, pause: Duration) -> bool {
        self.began.is_none_or(|began| now - began >= pause)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }
}

fn name(number: usize) -> String {
    format!("peer.{number}.x")
}
