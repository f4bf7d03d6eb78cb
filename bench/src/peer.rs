//! A simulated peer: the real calls over connections from an address of its own, and what it does with a batch is
//! up to the measurement.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Result, bail};
use protocol::{
    CertificateSha256, EventBatch, IntroductionId, ReplyKey, Root, SafeName, SearchId, SessionToken,
    Username,
    introduction::{IntroductionRequest, Sealed},
    paths::NAME_HEADER,
    search::{AnswerRequest, Match},
    session::{ConnectRequest, ConnectResponse, NameToken},
};

use crate::client::{Answer, Connection};

/// How long polls are parked: as long as a peer may.
const WAIT_SECONDS: u64 = 55;
/// After a connection that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The address of the n-th peer: one each, so that budgets of addresses hold as among strangers.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    let [.., high, middle, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1 + high, middle, low)
}

/// What a poll came to.
pub(crate) enum Polled {
    Batch(EventBatch),
    /// With the wait that a draining server asks for.
    Quiet {
        retry_after: Option<u64>,
    },
    /// The session is over.
    Lapsed,
    /// Too often, draining, or no answer at all.
    Later(Duration),
}

pub(crate) struct Peer {
    server: SocketAddr,
    from: Ipv4Addr,
    username: String,
    token: SessionToken,
    name_token: Option<NameToken>,
    /// For polls; calls have connections of their own while one is parked.
    polling: Option<Connection>,
    calling: Option<Connection>,
    cursor: Option<String>,
}

impl Peer {
    pub(crate) fn new(number: usize, server: SocketAddr) -> Self {
        Self {
            server,
            from: address(number),
            username: format!("peer-{number}-x"),
            token: SessionToken::random(),
            name_token: None,
            polling: None,
            calling: None,
            cursor: None,
        }
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    /// Takes the name, over the connection on which polls follow.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        let request = ConnectRequest {
            username: self.username.clone(),
            token: self.token.clone(),
            version: protocol::VERSION,
            name_token: self.name_token.clone(),
            join_key: None,
        };
        let body = serde_json::to_string(&request)?;
        let answer =
            call(&mut self.polling, self.from, self.server, ("POST", "/v1/sessions", ""), Some(&body));
        let answer = answer.await?;
        if answer.status != 201 {
            bail!("a connect was answered with {}: {}", answer.status, answer.body);
        }
        let response: ConnectResponse = serde_json::from_str(&answer.body)?;
        self.name_token = Some(response.name_token);
        Ok(())
    }

    /// A new session under the same name, as after a restart of the server.
    pub(crate) async fn connect_again(&mut self) -> Result<()> {
        self.token = SessionToken::random();
        self.cursor = None;
        self.connect().await
    }

    /// Makes calls of the same session beside its polls.
    pub(crate) fn same_session(&self) -> Self {
        Self {
            server: self.server,
            from: self.from,
            username: self.username.clone(),
            token: self.token.clone(),
            name_token: self.name_token.clone(),
            polling: None,
            calling: None,
            cursor: None,
        }
    }

    pub(crate) async fn poll(&mut self) -> Polled {
        let cursor = self.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/events?wait={WAIT_SECONDS}{cursor}");
        let headers = self.authorization();
        let request = ("GET", path.as_str(), headers.as_str());
        let Ok(answer) = call(&mut self.polling, self.from, self.server, request, None).await else {
            return Polled::Later(PAUSE);
        };
        match (answer.status, serde_json::from_str::<EventBatch>(&answer.body)) {
            (200, Ok(batch)) => {
                self.cursor = Some(batch.cursor.clone());
                Polled::Batch(batch)
            }
            (204, _) => Polled::Quiet { retry_after: answer.retry_after },
            (401, _) => Polled::Lapsed,
            _ => Polled::Later(answer.retry_after.map_or(PAUSE, Duration::from_secs)),
        }
    }

    pub(crate) async fn search(&mut self, id: SearchId, query: &str) -> Result<Answer> {
        let headers = self.authorization();
        let body = serde_json::json!({ "query": query }).to_string();
        let path = format!("/v1/searches/{id}");
        Ok(call(&mut self.calling, self.from, self.server, ("PUT", &path, &headers), Some(&body)).await?)
    }

    /// Answers a search with one file of that name.
    pub(crate) async fn answer(&mut self, id: SearchId, name: &str) -> Result<Answer> {
        let answer = AnswerRequest {
            reply_key: ReplyKey::from_bytes([1; 32]),
            certificate_sha256: CertificateSha256::from_bytes([2; 32]),
            matches: vec![Match {
                name: SafeName::parse(name)?,
                size: 4_711,
                root: Root::from_bytes(rand::random()),
                folder: None,
            }],
        };
        let body = serde_json::to_string(&answer)?;
        let headers = self.authorization_by_name();
        let path = format!("/v1/searches/{id}/answer");
        Ok(call(&mut self.calling, self.from, self.server, ("POST", &path, &headers), Some(&body)).await?)
    }

    pub(crate) async fn introduce(&mut self, id: IntroductionId, to: &Username) -> Result<Answer> {
        let sealed = Sealed::new(vec![7; 4_200]);
        let body = serde_json::to_string(&IntroductionRequest { to: to.clone(), port: 4_821, sealed })?;
        let headers = self.authorization_by_name();
        let path = format!("/v1/introductions/{id}");
        Ok(call(&mut self.calling, self.from, self.server, ("PUT", &path, &headers), Some(&body)).await?)
    }

    pub(crate) async fn withdraw(&mut self, id: IntroductionId) -> Result<Answer> {
        let headers = self.authorization();
        let path = format!("/v1/introductions/{id}");
        Ok(call(&mut self.calling, self.from, self.server, ("DELETE", &path, &headers), None).await?)
    }

    fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", *self.token.reveal())
    }

    fn authorization_by_name(&self) -> String {
        let name_token = self.name_token.as_ref().map_or("", NameToken::reveal);
        format!("{}{NAME_HEADER}: {name_token}\r\n", self.authorization())
    }
}

/// Makes a call over a connection that is kept as long as the server keeps it. One that was closed meanwhile is
/// replaced once: every call may be repeated.
async fn call(
    kept: &mut Option<Connection>,
    from: Ipv4Addr,
    to: SocketAddr,
    (method, path, headers): (&str, &str, &str),
    body: Option<&str>,
) -> io::Result<Answer> {
    let was_kept = kept.is_some();
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(from, to).await?.counted(),
    };
    let answer = match connection.call(method, path, headers, body).await {
        Err(_) if was_kept => {
            connection = Connection::open(from, to).await?.counted();
            connection.call(method, path, headers, body).await?
        }
        answer => answer?,
    };
    if !answer.is_last {
        *kept = Some(connection);
    }
    Ok(answer)
}
