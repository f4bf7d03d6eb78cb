//! The session: claimed, held, renewed, claimed again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    Code, SessionToken, Username,
    session::{ConnectRequest, ConnectResponse, NameToken, SessionLimits},
};
use tokio::{
    select,
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zeroize::Zeroizing;

use super::{
    ConnectError, LinkEvent, LinkStatus, NameTokenStore,
    claim::{Claim, Claimer},
    client::{Client, Failure},
    config::{LinkConfig, Timings},
    supervisor::{ConnectAnswer, reply},
};
use crate::{backoff::Backoff, clock};

/// When a 429 does not say how long: what most limits recover in.
pub(super) const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(10);

/// A session as calls and polls need it.
#[derive(Clone)]
pub(super) struct Held {
    /// Counts the sessions of this link: a lapse that is noticed late must not end a later one.
    pub(super) generation: u64,
    pub(super) token: SessionToken,
    pub(super) name_token: NameToken,
    pub(super) wait_max: Duration,
    pub(super) limits: SessionLimits,
    pub(super) username: Username,
}

/// How a username is to be sought.
pub(super) struct Wish {
    /// The session that was granted already.
    pub(super) granted: Option<ConnectResponse>,
    /// Until then a username that is taken may be taken by our own session of before a crash, which lapses.
    pub(super) patient_until: Option<Instant>,
    /// Where the outcome goes.
    pub(super) answer: ConnectAnswer,
}

/// Where the link's task tells what happens.
pub(super) struct Outlets {
    pub(super) events: mpsc::Sender<LinkEvent>,
    pub(super) status: watch::Sender<LinkStatus>,
    pub(super) held: watch::Sender<Option<Arc<Held>>>,
}

/// Seeks and holds one username at a time. Its futures may be dropped at any await; what must survive that is
/// in its fields and in the claim.
pub(super) struct Keeper {
    pub(super) client: Client,
    pub(super) timings: Timings,
    /// The latest generation that a call found lapsed.
    pub(super) lapsed: watch::Receiver<u64>,
    join_key: Option<Zeroizing<String>>,
    names: Names,
    token: CancellationToken,
    outlets: Outlets,
    generation: u64,
    /// Whether `Connected` was told later than `Disconnected`.
    is_announced: bool,
}

impl Keeper {
    pub(super) fn new(
        (config, client): (LinkConfig, Client),
        names: Names,
        token: CancellationToken,
        lapsed: watch::Receiver<u64>,
        outlets: Outlets,
    ) -> Self {
        let LinkConfig { join_key, timings, .. } = config;
        Self { client, timings, lapsed, join_key, names, token, outlets, generation: 0, is_announced: false }
    }

    pub(super) fn status(&self) -> watch::Receiver<LinkStatus> {
        self.outlets.status.subscribe()
    }

    pub(super) fn claimer(&self) -> Claimer {
        Claimer {
            client: self.client.clone(),
            names: self.names.clone(),
            join_key: self.join_key.clone(),
            timings: self.timings.clone(),
        }
    }

    /// Seeks the username and holds it through every lapse. Returns when it is refused at first.
    pub(super) async fn keep(&mut self, claim: &mut Claim, wish: Wish) {
        let claimer = self.claimer();
        let mut backoff = Backoff::new(self.timings.backoff);
        let Wish { mut granted, patient_until, answer } = wish;
        let mut answer = Some(answer);
        self.take_renewed(claim);
        self.show_connecting(&claim.username, None);
        loop {
            let attempted = match granted.take() {
                Some(response) => Ok(response),
                None => claimer.attempt(claim).await,
            };
            let pause = match attempted {
                Ok(response) => {
                    let held = self.take_up(claim, response).await;
                    if let Some(answer) = answer.take() {
                        reply(answer, Ok(()));
                    }
                    let was_good = self.serve(held).await;
                    self.let_go(claim).await;
                    if was_good {
                        backoff.reset();
                        Duration::ZERO
                    } else {
                        backoff.next(rand::random())
                    }
                }
                Err(failure) => {
                    let error = ConnectError::from(failure);
                    let pause = match error {
                        ConnectError::VersionUnsupported { .. } => {
                            self.timings.other_version.wait(0, rand::random())
                        }
                        _ => backoff.next_at_least(error.retry_after(), rand::random()),
                    };
                    if error == ConnectError::UsernameTaken
                        && patient_until.is_some_and(|until| clock::now() < until)
                    {
                        self.show_connecting(&claim.username, Some(error.to_string()));
                        sleep(pause).await;
                        continue;
                    }
                    let is_over = answer.is_some() && !error.goes_on();
                    if is_over {
                        self.outlets.held.send_replace(None);
                        let (username, problem) = (claim.username.clone(), error.to_string());
                        self.outlets.status.send_replace(LinkStatus::Refused { username, problem });
                    } else {
                        self.show_connecting(&claim.username, Some(error.to_string()));
                    }
                    if let Some(answer) = answer.take() {
                        reply(answer, Err(error));
                    }
                    if is_over {
                        return;
                    }
                    pause
                }
            };
            sleep(pause).await;
        }
    }

    /// Ends the session at the coordinator, if there is one, within a short deadline; else it lapses by itself.
    pub(super) async fn leave(&mut self, claim: &Claim) {
        self.outlets.held.send_replace(None);
        self.show_idle();
        if let Err(failure) = self.client.disconnect(&claim.token, self.timings.farewell).await {
            tracing::debug!(?failure, "the session was not ended at the coordinator, and lapses there");
        }
        self.announce(false).await;
    }

    /// A session was granted: keeps its `name_token`, lets calls use it, and tells.
    async fn take_up(&mut self, claim: &mut Claim, response: ConnectResponse) -> Held {
        self.generation += 1;
        claim.name_token = Some(response.name_token.clone());
        self.names.save(&claim.username, &response.name_token).await;
        let held = Held {
            generation: self.generation,
            token: claim.token.clone(),
            name_token: response.name_token,
            wait_max: Duration::from_secs(response.wait_seconds_max),
            limits: response.limits,
            username: claim.username.clone(),
        };
        self.outlets.held.send_replace(Some(Arc::new(held.clone())));
        self.show_connected(&held).await;
        held
    }

    /// Polls and renews until the session has lapsed; tells whether a poll ever went well.
    async fn serve(&mut self, held: Held) -> bool {
        let renewal = Renewal {
            client: self.client.clone(),
            names: self.names.clone(),
            held: self.outlets.held.clone(),
            join_key: self.join_key.clone(),
            timings: self.timings.clone(),
        };
        select! {
            was_good = self.poll(&held) => was_good,
            () = renewal.run() => true,
        }
    }

    /// The session has lapsed: the next one gets a token of its own, and the latest `name_token` to show.
    async fn let_go(&mut self, claim: &mut Claim) {
        self.take_renewed(claim);
        self.outlets.held.send_replace(None);
        claim.token = SessionToken::random();
        self.show_connecting(&claim.username, None);
        self.announce(false).await;
    }

    /// The `name_token` may have been renewed since the claim was made.
    fn take_renewed(&self, claim: &mut Claim) {
        if let Some(held) = self.outlets.held.borrow().as_ref() {
            claim.name_token = Some(held.name_token.clone());
        }
    }

    pub(super) fn show_idle(&self) {
        self.outlets.status.send_replace(LinkStatus::Idle);
    }

    fn show_connecting(&self, username: &Username, problem: Option<String>) {
        let status = LinkStatus::Connecting { username: username.clone(), problem: problem.clone() };
        let before = self.outlets.status.send_replace(status);
        // Once for each reason, however often it is tried.
        if let Some(problem) = problem.filter(|problem| before.problem() != Some(problem)) {
            tracing::warn!("not connected, and tried again: {problem}");
        }
    }

    pub(super) async fn show_connected(&mut self, held: &Held) {
        self.outlets.status.send_if_modified(|status| {
            let is_new = !matches!(status, LinkStatus::Connected { .. });
            if is_new {
                let (username, limits) = (held.username.clone(), held.limits);
                *status = LinkStatus::Connected { username, limits, since: clock::wall() };
            }
            is_new
        });
        self.announce(true).await;
    }

    /// The session may live on at the coordinator, but polls don't reach it.
    pub(super) async fn show_out_of_reach(&mut self, held: &Held, problem: &str) {
        self.show_connecting(&held.username, Some(problem.to_owned()));
        self.announce(false).await;
    }

    async fn announce(&mut self, is_connected: bool) {
        if self.is_announced != is_connected {
            self.is_announced = is_connected;
            if is_connected {
                tracing::info!("connected to the coordinator");
            }
            self.tell(if is_connected { LinkEvent::Connected } else { LinkEvent::Disconnected }).await;
        }
    }

    /// Waits while the daemon is behind with the events; at its end nobody reads them any more.
    pub(super) async fn tell(&self, event: LinkEvent) {
        select! {
            biased;
            _nobody_reads = self.outlets.events.send(event) => {}
            () = self.token.cancelled() => {}
        }
    }
}

/// The store of `name_token`s, off the async threads.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) store: Arc<dyn NameTokenStore>,
    pub(super) tracker: TaskTracker,
}

impl Names {
    pub(super) async fn load(&self, username: &Username) -> Option<NameToken> {
        let (store, username) = (self.store.clone(), username.clone());
        self.tracker.spawn_blocking(move || store.load(&username)).await.unwrap_or_default()
    }

    async fn save(&self, username: &Username, token: &NameToken) {
        let (store, username, token) = (self.store.clone(), username.clone(), token.clone());
        if self.tracker.spawn_blocking(move || store.save(&username, &token)).await.is_err() {
            tracing::error!(
                "keeping the name token failed; after a crash the username is free only after a minute"
            );
        }
    }
}

/// Renews the `name_token`, which is good for a day, by repeating the connect: with the same session token it
/// does nothing else at the coordinator.
struct Renewal {
    client: Client,
    names: Names,
    held: watch::Sender<Option<Arc<Held>>>,
    join_key: Option<Zeroizing<String>>,
    timings: Timings,
}

impl Renewal {
    /// Never returns. A failure is made good by the next turn: many fit into a token's day.
    async fn run(self) {
        loop {
            sleep(self.timings.renewal).await;
            let Some(held) = self.held.borrow().clone() else { continue };
            let mut request =
                ConnectRequest::new(&held.username, held.token.clone(), Some(held.name_token.clone()));
            request.join_key = self.join_key.as_ref().map(|key| key.as_str().to_owned());
            match self.client.connect(&request, self.timings.attempt).await {
                Ok(response) => {
                    self.names.save(&held.username, &response.name_token).await;
                    let renewed = Held { name_token: response.name_token, ..Held::clone(&held) };
                    self.held.send_replace(Some(Arc::new(renewed)));
                }
                Err(failure) => tracing::debug!(?failure, "the name token was not renewed"),
            }
        }
    }
}

impl From<Failure> for ConnectError {
    fn from(failure: Failure) -> Self {
        let (problem, retry_after) = match failure {
            Failure::Unreachable(sentence) => return Self::Unreachable(sentence),
            Failure::Refused { problem, retry_after } => (problem, retry_after),
        };
        match problem.code {
            Code::UsernameTaken => Self::UsernameTaken,
            Code::UsernameInvalid => Self::UsernameInvalid,
            Code::JoinKeyWrong => Self::JoinKeyWrong,
            Code::VersionUnsupported => Self::VersionUnsupported { theirs: problem.version },
            Code::RateLimited => {
                Self::RateLimited { retry_after: retry_after.unwrap_or(RETRY_AFTER_DEFAULT) }
            }
            Code::Draining | Code::Internal => Self::Unreachable(problem.title),
            _ => Self::Refused(problem),
        }
    }
}
