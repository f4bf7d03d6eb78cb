//! A restart of the coordinator while many are connected and introductions are under way: all come back, spread by
//! the drain, under their names; and what was under way reaches its end, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hearsay_tests::{api_client::ApiClient, clock, coordinator::Coordinator, wait::until};
use protocol::{
    Event, EventBatch, IntroductionId, SessionToken,
    introduction::{HeardReply, IntroductionRequest, Sealed},
    paths::NAME_HEADER,
    session::ConnectResponse,
};
use reqwest::{Response, header::RETRY_AFTER};
use serde_json::json;
use tokio::task::JoinSet;

const PEERS: usize = 200;
/// Every other peer wants something from the next one.
const PAIRS: usize = PEERS / 2;
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// After a call that failed: the coordinator is away for a moment.
const PAUSE: Duration = Duration::from_millis(250);

/// What all have seen together.
#[derive(Default)]
struct Seen {
    connected: Vec<Instant>,
    /// How often each introduction was new to its target, and how often its end was new to its requester.
    heard: BTreeMap<IntroductionId, usize>,
    accepted: BTreeMap<IntroductionId, usize>,
}

struct Peer {
    client: ApiClient,
    number: usize,
    token: SessionToken,
    name_token: Option<String>,
    cursor: Option<String>,
    /// What it wants of the next peer, until that has accepted.
    wanted: Option<IntroductionId>,
    /// Events come at least once; who consumes them goes by their ids.
    known: BTreeSet<IntroductionId>,
    seen: Arc<Mutex<Seen>>,
}

fn name(number: usize) -> String {
    format!("peer.{number}.x")
}

async fn pause_as_told(response: Option<&Response>) {
    let told = response.and_then(|response| response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok());
    tokio::time::sleep(told.map_or(PAUSE, Duration::from_secs)).await;
}

impl Peer {
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
            let response = self.client.post("/v1/sessions").json(&body).send().await.ok();
            match response {
                Some(response) if response.status() == 201 => {
                    let connected: ConnectResponse = response.json().await.unwrap();
                    self.name_token = Some(connected.name_token.reveal().to_owned());
                    self.seen.lock().unwrap().connected.push(clock::now());
                    return;
                }
                other => pause_as_told(other.as_ref()).await,
            }
        }
    }

    /// Says what it wants, first or again.
    async fn ask(&self) {
        let Some(id) = self.wanted else { return };
        let body = IntroductionRequest {
            to: name(self.number + 1).parse().unwrap(),
            port: 4_821,
            sealed: Sealed::new(vec![7; 40]),
        };
        let path = format!("/v1/introductions/{id}");
        let request = self.client.put(&path).json(&body).bearer_auth(self.token.reveal().as_str());
        // One that fails is sent again after the next poll.
        let _ = request.header(NAME_HEADER, self.name_token.as_deref().unwrap_or_default()).send().await;
    }

    async fn live(mut self) {
        self.connect().await;
        loop {
            self.ask().await;
            let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let poll = self.client.get(&format!("/v1/events?wait=5{cursor}"));
            let response = poll.bearer_auth(self.token.reveal().as_str()).send().await.ok();
            match response {
                Some(response) if response.status() == 200 => {
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
                other => pause_as_told(other.as_ref()).await,
            }
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Introduction { id, .. } => {
                if self.known.insert(id) {
                    *self.seen.lock().unwrap().heard.entry(id).or_default() += 1;
                }
                let path = format!("/v1/introductions/{id}/reply");
                let reply = self.client.put(&path).json(&json!({ "state": "accepted" }));
                // One that is lost is asked for again by the requester.
                let _ = reply.bearer_auth(self.token.reveal().as_str()).send().await;
            }
            Event::IntroductionReply { id, reply: HeardReply::Accepted {} } if self.wanted == Some(id) => {
                self.wanted = None;
                *self.seen.lock().unwrap().accepted.entry(id).or_default() += 1;
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_all_are_back_and_what_was_under_way_arrives_once() {
    let coordinator = Coordinator::start().await;
    let client = ApiClient::without_proxy(&format!("http://{}", coordinator.address()));
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut peers = JoinSet::new();
    for number in 0..PEERS {
        let peer = Peer {
            client: client.clone(),
            number,
            token: SessionToken::random(),
            name_token: None,
            cursor: None,
            wanted: (number % 2 == 0).then(IntroductionId::random),
            known: BTreeSet::new(),
            seen: Arc::clone(&seen),
        };
        peers.spawn(peer.live());
    }
    // Some are through by then, some under way, some have not begun.
    until("the first introductions are through", BACK_WITHIN, async || {
        (seen.lock().unwrap().accepted.len() >= PAIRS / 4).then_some(())
    })
    .await;
    let before = seen.lock().unwrap().connected.len();
    let coordinator = coordinator.stop_for_a_while().await.start_again().await;

    until("all are connected again", BACK_WITHIN, async || {
        (seen.lock().unwrap().connected.len() >= before + PEERS).then_some(())
    })
    .await;
    until("all introductions have reached their end", BACK_WITHIN, async || {
        (seen.lock().unwrap().accepted.len() == PAIRS).then_some(())
    })
    .await;
    peers.shutdown().await;
    coordinator.stop().await;

    let seen = seen.lock().unwrap();
    assert_eq!((seen.heard.len(), seen.accepted.len()), (PAIRS, PAIRS));
    assert!(seen.heard.values().chain(seen.accepted.values()).all(|count| *count == 1), "some came twice");
}
