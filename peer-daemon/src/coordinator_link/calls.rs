//! The calls beside the poll. Each is repeated as long as a repeat can help and its deadline allows, which is
//! safe because the caller made the id: the coordinator answers a repeat as it answered the first.

use std::{sync::Arc, time::Duration};

use hyper::body::Bytes;
use protocol::{
    Code, IntroductionId, SearchId,
    introduction::{Accepted, IntroductionRequest, Reply},
    paths::coordinator as paths,
    search::{AnswerRequest, Subject},
};
use reqwest::Method;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    CallError, CoordinatorLink, LinkStatus,
    client::{Failure, Request, parse},
    session::{Held, RETRY_AFTER_DEFAULT},
};
use crate::{
    backoff::{Backoff, BackoffRange},
    clock,
};

/// Sendings of one call: the first, one more for a lost response, and one after a reconnection.
const SENDINGS_MAX: u32 = 3;
/// Pauses before a call is sent again. Short: whoever waits for it has a deadline of seconds.
const REPEAT: BackoffRange = BackoffRange { first: Duration::from_millis(100), max: Duration::from_secs(1) };

impl CoordinatorLink {
    /// Asks all peers; tells how long the search lives. Results may come before this returns.
    pub async fn search(&self, id: SearchId, subject: &Subject) -> Result<Duration, CallError> {
        self.call_with_deadline(Request::new(Method::PUT, route(paths::SEARCH, &id)).json(subject)).await
    }

    /// Answers someone's search, under this peer's username.
    pub async fn answer(&self, id: SearchId, answer: &AnswerRequest) -> Result<(), CallError> {
        self.call(Request::new(Method::POST, route(paths::ANSWER, &id)).json(answer).named()).await.map(drop)
    }

    /// Sends an introduction, or sends it again; tells how long it lives. The target's word may come before
    /// this returns.
    pub async fn introduce(
        &self,
        id: IntroductionId,
        introduction: &IntroductionRequest,
    ) -> Result<Duration, CallError> {
        let request = Request::new(Method::PUT, route(paths::INTRODUCTION, &id)).json(introduction).named();
        self.call_with_deadline(request).await
    }

    /// Gives this peer's word on someone's introduction.
    pub async fn reply(&self, id: IntroductionId, reply: &Reply) -> Result<(), CallError> {
        self.call(Request::new(Method::PUT, route(paths::REPLY, &id)).json(reply)).await.map(drop)
    }

    /// Takes a search back. One that is over is not worth an error.
    pub async fn withdraw_search(&self, id: SearchId) -> Result<(), CallError> {
        let outcome = self.call(Request::new(Method::DELETE, route(paths::SEARCH, &id))).await;
        unless_over(outcome)
    }

    /// Takes an introduction back. One that is over is not worth an error.
    pub async fn withdraw_introduction(&self, id: IntroductionId) -> Result<(), CallError> {
        let outcome = self.call(Request::new(Method::DELETE, route(paths::INTRODUCTION, &id))).await;
        unless_over(outcome)
    }

    async fn call_with_deadline(&self, request: Request) -> Result<Duration, CallError> {
        let body = self.call(request).await?;
        let accepted: Accepted = parse(&body).map_err(give_up)?;
        Ok(Duration::from_secs(accepted.deadline_seconds))
    }

    async fn call(&self, request: Request) -> Result<Bytes, CallError> {
        let shared = &self.shared;
        let deadline = Instant::from_std(clock::now() + shared.timings.call);
        let mut backoff = Backoff::new(REPEAT);
        let mut lapsed = 0;
        for sendings_left in (0..SENDINGS_MAX).rev() {
            let held =
                timeout_at(deadline, self.session_after(lapsed)).await.map_err(|_| self.no_session())??;
            let remaining = deadline.saturating_duration_since(Instant::from_std(clock::now()));
            let attempt = shared.timings.attempt.min(remaining);
            let failure = match shared.client.send(&request, &held, attempt).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            let remaining = deadline.saturating_duration_since(Instant::from_std(clock::now()));
            match after_failure(failure, sendings_left, remaining, &mut backoff, rand::random()) {
                Next::GiveUp(error) => return Err(error),
                Next::Repeat(pause) => sleep(pause).await,
                Next::Reconnect => {
                    lapsed = held.generation;
                    shared.lapsed.send_if_modified(|latest| {
                        let is_news = *latest < lapsed;
                        *latest = lapsed.max(*latest);
                        is_news
                    });
                }
            }
        }
        Err(self.no_session())
    }

    /// The session, once it is a later one than `lapsed`. Ends early when none is sought, or when it is known
    /// why there is none.
    async fn session_after(&self, lapsed: u64) -> Result<Arc<Held>, CallError> {
        let (mut held, mut status) = (self.shared.held.clone(), self.shared.status.clone());
        loop {
            if let Some(held) = held.borrow_and_update().as_ref().filter(|held| held.generation > lapsed) {
                return Ok(held.clone());
            }
            match &*status.borrow_and_update() {
                LinkStatus::Idle | LinkStatus::Refused { .. } => return Err(CallError::NotConnected),
                LinkStatus::Connecting { problem: Some(problem), .. } => {
                    return Err(CallError::Unreachable(problem.clone()));
                }
                LinkStatus::Connecting { problem: None, .. } | LinkStatus::Connected { .. } => {}
            }
            let changed = tokio::select! {
                changed = held.changed() => changed,
                changed = status.changed() => changed,
            };
            changed.map_err(|_| CallError::NotConnected)?;
        }
    }

    fn no_session(&self) -> CallError {
        match &*self.shared.status.borrow() {
            LinkStatus::Connecting { problem: Some(problem), .. } => CallError::Unreachable(problem.clone()),
            _ => CallError::Unreachable(
                "the session at the coordinator lapsed and did not come back".to_owned(),
            ),
        }
    }
}

/// What follows from a failed sending.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    GiveUp(CallError),
    Repeat(Duration),
    Reconnect,
}

fn after_failure(
    failure: Failure,
    sendings_left: u32,
    remaining: Duration,
    backoff: &mut Backoff,
    random: f64,
) -> Next {
    let asked = match &failure {
        Failure::Unreachable(_) => None,
        Failure::Refused { problem, retry_after } => match problem.code {
            // The second: the session is there, and the name token was sealed by an earlier coordinator.
            Code::TokenInvalid | Code::NameTokenInvalid if sendings_left > 0 => return Next::Reconnect,
            Code::RateLimited => Some(retry_after.unwrap_or(RETRY_AFTER_DEFAULT)),
            Code::Draining | Code::Internal => *retry_after,
            _ => return Next::GiveUp(give_up(failure)),
        },
    };
    let pause = backoff.next_at_least(asked, random);
    if sendings_left == 0 || pause >= remaining {
        Next::GiveUp(give_up(failure))
    } else {
        Next::Repeat(pause)
    }
}

fn give_up(failure: Failure) -> CallError {
    match failure {
        Failure::Unreachable(sentence) => CallError::Unreachable(sentence),
        Failure::Refused { problem, retry_after } => match problem.code {
            Code::RateLimited => {
                CallError::RateLimited { retry_after: retry_after.unwrap_or(RETRY_AFTER_DEFAULT) }
            }
            _ => CallError::Problem(problem),
        },
    }
}

fn route(pattern: &str, id: &impl ToString) -> String {
    pattern.replace("{id}", &id.to_string())
}

fn unless_over(outcome: Result<Bytes, CallError>) -> Result<(), CallError> {
    match outcome {
        Err(CallError::Problem(problem))
            if matches!(problem.code, Code::SearchOver | Code::IntroductionOver) =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}
