//! The HTTP client: sends one request once, and turns whatever comes back into an answer or a failure in words.
//!
//! It follows no redirect (a token must not travel to another host), takes no proxy from the environment (what a login
//! shell happens to set must not decide through whom queries go), and reads no more of a body than a coordinator sends.
//! Repeats are the business of those who call it.

use std::{
    error::Error as _,
    fs,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use hyper::body::Bytes;
use protocol::{
    Code, Event, Problem, SessionToken,
    limits::BODY_BYTES_MAX,
    paths::{NAME_HEADER, coordinator as paths},
    session::{ConnectRequest, ConnectResponse, NameToken},
};
use reqwest::{
    Certificate, Method, Response, Url,
    header::{CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    config::{LinkConfig, LinkConfigError, check_url},
    refusal::refusal,
    session::Held,
};

/// What a coordinator sends at most: a batch of events, with slack for what JSON adds to it.
const RESPONSE_BYTES_MAX: usize = BODY_BYTES_MAX + 64 * 1024;
/// No coordinator asks for more patience than this; what does is a mistake, and would silence the daemon.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// One request, ready to be sent more than once.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    /// Whether the coordinator needs the caller's username for it.
    pub(super) is_named: bool,
}

impl Request {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, is_named: false }
    }

    /// Every body here is one of our own types, whose JSON form can't fail; an empty one would be refused.
    pub(super) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).unwrap_or_default().into());
        self
    }

    /// The caller's sealed username goes with it.
    pub(super) fn named(mut self) -> Self {
        self.is_named = true;
        self
    }
}

/// Why a request, sent once, brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or none that a coordinator gives: a sentence that says which.
    Unreachable(String),
    /// The coordinator said no.
    Refused { problem: Problem, retry_after: Option<Duration> },
}

impl Failure {
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Unreachable(_) => None,
            Self::Refused { problem, .. } => Some(problem.code),
        }
    }
}

/// An answer to a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Polled {
    /// `is_empty`: as it came, before what can't be read was left out.
    Batch { cursor: String, events: Vec<Event>, is_empty: bool },
    /// Nothing happened; when draining, the coordinator asks to stay away for a moment.
    Quiet { retry_after: Option<Duration> },
}

struct Answer {
    /// The address that it came from.
    from: Option<IpAddr>,
    status: u16,
    retry_after: Option<Duration>,
    body: Bytes,
}

#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    /// Where a coordinator answered last.
    reached: watch::Sender<Option<IpAddr>>,
}

impl Client {
    pub(super) fn new(config: &LinkConfig) -> Result<Self, LinkConfigError> {
        check_url(&config.url, config.insecure)?;
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(config.timings.connect_timeout)
            .pool_idle_timeout(config.timings.pool_idle)
            .user_agent(concat!("hearsay/", env!("CARGO_PKG_VERSION")));
        let certificates = config.ca.as_ref().map(|path| read_certificates(path)).transpose()?;
        let builder = match (config.url.scheme(), certificates) {
            (_, Some(certificates)) => builder.tls_certs_merge(certificates),
            // Without TLS, a system without certificates is no reason to fail.
            ("http", None) => builder.tls_certs_only([]),
            (_, None) => builder,
        };
        let http = builder.build().map_err(|error| LinkConfigError::Tls(root_cause(&error)))?;
        Ok(Self { http, base: config.url.clone(), reached: watch::Sender::new(None) })
    }

    /// Where the coordinator is, once one has answered. Of its name others decide what it leads to, at any moment.
    pub(super) fn reached(&self) -> watch::Receiver<Option<IpAddr>> {
        self.reached.subscribe()
    }

    pub(super) async fn connect(
        &self,
        body: &ConnectRequest,
        timeout: Duration,
    ) -> Result<ConnectResponse, Failure> {
        let request = Request::new(Method::POST, paths::SESSIONS).json(body);
        let answer = self.exchange(&request, None, timeout).await?;
        let granted = parse(&answer.body)?;
        self.reached.send_replace(answer.from);
        Ok(granted)
    }

    /// Asks without a session. What refuses that in a coordinator's words is one; its time comes along.
    pub(super) async fn probe(&self, timeout: Duration) -> Result<Option<SystemTime>, Failure> {
        let url = self.url(&Request::new(Method::GET, paths::EVENTS));
        let response =
            self.http.get(url).timeout(timeout).send().await.map_err(|error| unreachable(&error))?;
        let date =
            response.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let status = response.status().as_u16();
        match refusal(status, None, &read_body(response).await?) {
            Failure::Refused { problem, .. } if problem.code == Code::TokenInvalid => Ok(date),
            failure => Err(failure),
        }
    }

    /// Ends a session, whether or not its start was ever confirmed.
    pub(super) async fn disconnect(&self, token: &SessionToken, timeout: Duration) -> Result<(), Failure> {
        let request = Request::new(Method::DELETE, paths::SESSION);
        self.exchange(&request, Some((token, None)), timeout).await.map(drop)
    }

    /// Parks for `wait` at the coordinator. An event that can't be read is passed over: it would come again
    /// with every poll and keep the later ones back.
    pub(super) async fn poll(
        &self,
        held: &Held,
        cursor: Option<&str>,
        wait: Duration,
        slack: Duration,
    ) -> Result<Polled, Failure> {
        #[derive(Deserialize)]
        struct Batch {
            cursor: String,
            events: Vec<serde_json::Value>,
        }
        let mut request = Request::new(Method::GET, paths::EVENTS);
        request.query.push(("wait", wait.as_secs().to_string()));
        if let Some(cursor) = cursor {
            request.query.push(("cursor", cursor.to_owned()));
        }
        let shown = Some((&held.token, None));
        let answer = self.exchange(&request, shown, wait.saturating_add(slack)).await?;
        if answer.status == 204 {
            return Ok(Polled::Quiet { retry_after: answer.retry_after });
        }
        let Batch { cursor, events } = parse(&answer.body)?;
        self.reached.send_replace(answer.from);
        let read = |event| serde_json::from_value::<Event>(event).ok();
        let count = events.len();
        let events: Vec<Event> = events.into_iter().filter_map(read).collect();
        if events.len() < count {
            tracing::warn!(count = count - events.len(), "events that can't be read were passed over");
        }
        Ok(Polled::Batch { cursor, events, is_empty: count == 0 })
    }

    /// Sends any other call once and returns the body of its success.
    pub(super) async fn send(
        &self,
        request: &Request,
        held: &Held,
        timeout: Duration,
    ) -> Result<Bytes, Failure> {
        let shown = Some((&held.token, request.is_named.then_some(&held.name_token)));
        Ok(self.exchange(request, shown, timeout).await?.body)
    }

    async fn exchange(
        &self,
        request: &Request,
        shown: Option<(&SessionToken, Option<&NameToken>)>,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let mut builder = self.http.request(request.method.clone(), self.url(request)).timeout(timeout);
        if let Some((token, name_token)) = shown {
            builder = builder.bearer_auth(token.reveal().as_str());
            if let Some(name_token) = name_token {
                builder = builder.header(NAME_HEADER, sensitive(name_token.reveal())?);
            }
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = builder.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let from = response.remote_addr().map(|address| address.ip());
        let retry_after = retry_after(&response);
        let body = read_body(response).await?;
        if status.is_success() {
            return Ok(Answer { from, status: status.as_u16(), retry_after, body });
        }
        Err(refusal(status.as_u16(), retry_after, &body))
    }

    /// The coordinator may live under a path of a larger site.
    fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }
}

fn read_certificates(path: &std::path::Path) -> Result<Vec<Certificate>, LinkConfigError> {
    let failed = |reason: String| LinkConfigError::Ca { path: path.to_owned(), reason };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(root_cause(&error)))?;
    if certificates.is_empty() {
        return Err(failed("there is none in it".to_owned()));
    }
    Ok(certificates)
}

fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Failure::Unreachable("the coordinator's name token is not a header value".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

async fn read_body(mut response: Response) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Err(Failure::Unreachable("the coordinator's answer is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Failure> {
    // The parser's own words could quote the body.
    serde_json::from_slice(body).map_err(|_| {
        Failure::Unreachable("what answers at the coordinator's URL is no coordinator".to_owned())
    })
}

fn unreachable(error: &reqwest::Error) -> Failure {
    let cause = if error.is_timeout() { "it did not answer in time".to_owned() } else { root_cause(error) };
    Failure::Unreachable(format!("the coordinator can't be reached: {cause}"))
}

/// The innermost cause: the outer ones repeat the URL, which here may hold a cursor.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let sentence = cause.map_or_else(|| "the request could not be made".to_owned(), ToString::to_string);
    // Its number in the system says nothing more to a person.
    sentence.split_once(" (os error ").map_or(sentence.as_str(), |(words, _)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Client, Request};
    use crate::coordinator_link::LinkConfig;

    #[test]
    fn routes_go_under_the_path_of_the_url_and_a_cursor_is_escaped() {
        for (base, expected) in [
            ("https://example.org", "https://example.org/v1/events?cursor=a%26b%3D%2F"),
            ("https://example.org/hearsay/", "https://example.org/hearsay/v1/events?cursor=a%26b%3D%2F"),
        ] {
            let client = Client::new(&LinkConfig::new(base.parse().unwrap())).unwrap();
            let mut request = Request::new(reqwest::Method::GET, "/v1/events");
            request.query.push(("cursor", "a&b=/".to_owned()));
            assert_eq!(client.url(&request).as_str(), expected);
        }
    }
}
