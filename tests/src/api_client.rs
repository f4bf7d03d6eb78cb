//! The coordinator's API, called with whatever a test wants to send.

use std::{fs, path::Path};

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
    let answer = request.send().await.expect("an answer");
    Answer {
        status: answer.status().as_u16(),
        content_type: answer
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().expect("a readable content type").to_owned()),
        body: answer.text().await.expect("an answer's body"),
    }
}

impl Answer {
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
