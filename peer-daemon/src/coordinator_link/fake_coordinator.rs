//! A coordinator of a few lines that misbehaves on command: it drops responses, forgets its sessions, limits,
//! talks nonsense. What a real one does is proven end to end by the `tests` crate.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use protocol::{Code, Event, Problem, paths::NAME_HEADER};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{BackoffRange, LinkConfig, Timings};

/// Nothing here takes long; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `METHOD /path?query`
    pub(crate) call: String,
    pub(crate) bearer: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) body: Value,
}

/// What happens to a request instead of what should.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It is done, and its response lost.
    LostResponse,
    /// It is not done.
    Problem(Code, Option<u64>),
    /// A status and a body of another server.
    Foreign(u16, String),
    Redirect(String),
    /// Nothing, ever.
    Silence,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    /// Faults to come, for calls that begin so.
    faults: Vec<(String, Fault)>,
    /// Token to events with their numbers.
    sessions: HashMap<String, VecDeque<(u64, Value)>>,
    last_event: u64,
    connects: u64,
}

pub(crate) struct FakeCoordinator {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    address: SocketAddr,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl FakeCoordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            state: Arc::default(),
            changed: watch::channel(()).0,
            address: listener.local_addr().unwrap(),
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
        };
        fake.listen(listener);
        fake
    }

    fn listen(&self, listener: TcpListener) {
        let (state, changed) = (self.state.clone(), self.changed.clone());
        let (stop, tracker) = (self.stop.clone(), self.tracker.clone());
        self.tracker.spawn(async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                let (state, changed, stop) = (state.clone(), changed.clone(), stop.clone());
                tracker.spawn(async move {
                    let service = service_fn(|request| serve(request, state.clone(), changed.clone()));
                    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    stop.run_until_cancelled(serving).await
                });
            }
        });
    }

    /// Closes the listener and every connection; sessions are kept.
    pub(crate) async fn go_away(&mut self) {
        self.stop.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.unwrap();
    }

    /// Listens again where it did.
    pub(crate) async fn come_back(&mut self) {
        (self.stop, self.tracker) = (CancellationToken::new(), TaskTracker::new());
        self.listen(TcpListener::bind(self.address).await.unwrap());
    }

    /// Forgets every session, as a restart does.
    pub(crate) fn forget_sessions(&self) {
        self.state.lock().unwrap().sessions.clear();
        self.changed.send_replace(());
    }

    /// The next call that begins so meets this fault.
    pub(crate) fn fault(&self, call: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push((call.to_owned(), fault));
    }

    /// Gives an event to every session.
    pub(crate) fn push(&self, event: &Event) {
        self.push_raw(&serde_json::to_value(event).unwrap());
    }

    pub(crate) fn push_raw(&self, event: &Value) {
        let mut state = self.state.lock().unwrap();
        state.last_event += 1;
        let number = state.last_event;
        for mailbox in state.sessions.values_mut() {
            mailbox.push_back((number, event.clone()));
        }
        drop(state);
        self.changed.send_replace(());
    }

    pub(crate) fn session_count(&self) -> usize {
        self.state.lock().unwrap().sessions.len()
    }

    /// The calls so far that begin so.
    pub(crate) fn seen(&self, call: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        state.seen.iter().filter(|seen| seen.call.starts_with(call)).cloned().collect()
    }

    /// Waits until so many calls came that begin so.
    pub(crate) async fn until_seen(&self, call: &str, count: usize) -> Vec<Seen> {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let seen = self.seen(call);
                if seen.len() >= count {
                    return seen;
                }
                changed.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{call} did not come {count} times"))
    }

    pub(crate) fn config(&self) -> LinkConfig {
        let mut config = LinkConfig::new(format!("http://{}", self.address).parse().unwrap());
        config.timings = Timings {
            backoff: BackoffRange { first: Duration::from_millis(20), max: Duration::from_millis(200) },
            ..Timings::default()
        };
        config
    }
}

impl Drop for FakeCoordinator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(
    request: Request<hyper::body::Incoming>,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
    let bearer = header("authorization").map(|text| text.trim_start_matches("Bearer ").to_owned());
    let name = header(NAME_HEADER);
    let call = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let seen = Seen { call: call.clone(), bearer, name, body };
    let fault = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let index = state.faults.iter().position(|(prefix, _)| call.starts_with(prefix));
        index.map(|index| state.faults.remove(index).1)
    };
    changed.send_replace(());
    match fault {
        Some(Fault::Problem(code, retry_after)) => Ok(problem(code, retry_after)),
        Some(Fault::Foreign(status, body)) => Ok(response(status, body)),
        Some(Fault::Redirect(to)) => {
            Ok(Response::builder().status(307).header("location", to).body(Full::default()).unwrap())
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::LostResponse) => {
            answer(&seen, &state, &changed).await;
            Err(std::io::Error::other("the response is lost"))
        }
        None => Ok(answer(&seen, &state, &changed).await),
    }
}

async fn answer(seen: &Seen, state: &Mutex<State>, changed: &watch::Sender<()>) -> Response<Full<Bytes>> {
    if seen.call.starts_with("POST /v1/sessions") {
        let token = seen.body["token"].as_str().unwrap().to_owned();
        let mut state = state.lock().unwrap();
        state.sessions.entry(token).or_default();
        state.connects += 1;
        let body = json!({
            "name_token": format!("seal-{}", state.connects), "lease_seconds": 60, "wait_seconds_max": 55,
            "version": 1, "limits": {
                "searches_per_second": 1, "searches_burst": 5, "introductions_per_second": 2,
                "introductions_burst": 10, "matches_per_answer": 2, "pending_introductions": 64,
            },
        });
        return response(201, body.to_string());
    }
    let token = seen.bearer.clone().unwrap_or_default();
    if !state.lock().unwrap().sessions.contains_key(&token) {
        return problem(Code::TokenInvalid, None);
    }
    match seen.call.split(['?', ' ']).collect::<Vec<_>>()[..] {
        ["DELETE", "/v1/session"] => {
            state.lock().unwrap().sessions.remove(&token);
            response(204, String::new())
        }
        ["GET", "/v1/events", query] => park(&token, query, state, changed).await,
        ["PUT", path] if !path.ends_with("/reply") => response(202, r#"{"deadline_seconds":7}"#.to_owned()),
        _ => response(204, String::new()),
    }
}

/// Holds a poll until there is an event after its cursor, or the session is gone.
async fn park(
    token: &str,
    query: &str,
    state: &Mutex<State>,
    changed: &watch::Sender<()>,
) -> Response<Full<Bytes>> {
    let cursor: u64 =
        query.split('&').find_map(|pair| pair.strip_prefix("cursor=")).unwrap_or("0").parse().unwrap();
    let mut changed = changed.subscribe();
    loop {
        changed.mark_unchanged();
        {
            let mut state = state.lock().unwrap();
            let Some(mailbox) = state.sessions.get_mut(token) else {
                return problem(Code::TokenInvalid, None);
            };
            mailbox.retain(|(number, _)| *number > cursor);
            if let Some((last, _)) = mailbox.back() {
                let events: Vec<_> = mailbox.iter().map(|(_, event)| event).collect();
                return response(200, json!({ "cursor": last.to_string(), "events": events }).to_string());
            }
        }
        changed.changed().await.unwrap();
    }
}

fn problem(code: Code, retry_after: Option<u64>) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(code.status());
    if let Some(seconds) = retry_after {
        builder = builder.header("retry-after", seconds);
    }
    builder.body(serde_json::to_vec(&Problem::new(code)).unwrap().into()).unwrap()
}

fn response(status: u16, body: String) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(body.into()).unwrap()
}
