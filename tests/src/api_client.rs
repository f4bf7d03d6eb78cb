//! The coordinator's API, called with whatever a test wants to send.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::IpAddr,
    path::Path,
};

use protocol::{Code, Problem};
use reqwest::{Method, RequestBuilder, header};
use serde::de::DeserializeOwned;

use crate::wait::PATIENCE;

/// One client is one set of connections, as one peer has them.
#[derive(Clone)]
pub struct ApiClient {
    http: reqwest::Client,
    base: String,
}

impl ApiClient {
    pub fn to(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { http, base: base.to_owned() }
    }

    /// By TLS, trusting one authority, in PEM form, and nobody else.
    pub fn trusting(base: &str, authority: &Path) -> Self {
        let authority = fs::read(authority).expect("the authority's certificate");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([authority]);
        Self { http: http.build().expect("a client"), base: base.to_owned() }
    }

    /// Straight to the coordinator, saying what the proxy that it trusts would say.
    pub fn without_proxy(coordinator: &str) -> Self {
        let mut headers = header::HeaderMap::new();
        headers.insert("x-forwarded-for", header::HeaderValue::from_static("127.0.0.1"));
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).default_headers(headers);
        Self { http: http.build().expect("a client"), base: coordinator.to_owned() }
    }

    /// Calls that leave from this address of the machine.
    #[must_use]
    pub fn from_address(base: &str, address: IpAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).local_address(address);
        Self { http: http.build().expect("a client"), base: base.to_owned() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> RequestBuilder {
        self.request(Method::PUT, path)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: String,
}

/// Sends what was built; only a failure to get any answer is an error of the test.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request that can be sent");
    let call = format!("{} {}", request.method(), request.url().path());
    let answer = client.execute(request).await.expect("an answer");
    let answer = Answer {
        status: answer.status().as_u16(),
        content_type: answer
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().expect("a readable content type").to_owned()),
        body: answer.text().await.expect("an answer's body"),
    };
    answer.note(&call);
    answer
}

impl Answer {
    /// Notes what was seen, where the environment names a file for it: `cargo xtask test` holds it against
    /// `openapi.yaml` at the end. What a proxy answers by itself is not of the contract.
    fn note(&self, call: &str) {
        let Some(notes) = std::env::var_os("HEARSAY_OBSERVED_ANSWERS") else { return };
        let problem = serde_json::from_str::<Problem>(&self.body);
        if problem.is_err() && self.status >= 400 {
            return;
        }
        let line =
            format!("{call} {} {}\n", self.status, problem.map_or("-", |problem| problem.code.as_str()));
        let mut notes = OpenOptions::new().append(true).create(true).open(notes).expect("a file for notes");
        notes.write_all(line.as_bytes()).expect("room for a note");
    }

    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Panics unless this is the problem with `code`, told as RFC 9457 wants it.
    #[track_caller]
    pub fn expect_problem(&self, code: Code) -> Problem {
        assert_eq!(self.content_type.as_deref(), Some(Problem::CONTENT_TYPE), "{self:?}");
        let problem: Problem = self.json();
        assert_eq!((problem.code, problem.status), (code, self.status), "{self:?}");
        assert_eq!(self.status, code.status(), "{self:?}");
        problem
    }
}
