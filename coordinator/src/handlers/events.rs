//! The long-poll.
//!
//! It may be dropped while it waits, or go on after its client is gone, so it takes nothing out: the next poll's
//! cursor does.

use std::{
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::{Uri, header::RETRY_AFTER},
    web::Query,
};
use protocol::Code;
use serde::Deserialize;

use crate::{
    bypass,
    calls::Worker,
    clock,
    config::Lifetimes,
    connection::{CallHeaders, Connection},
    domain::{batch::Cursor, sessions::SessionId},
    error::{ApiError, jitter, retry_after_value},
};

/// Peers take a 204 that comes sooner for a poll that was cut short, and hold back the next one.
const PARKED_MIN: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PollQuery {
    cursor: Option<String>,
    /// In seconds; a longer one than allowed is cut.
    wait: Option<u64>,
}

/// What a call asks for.
pub(crate) struct Poll {
    session: SessionId,
    observed: Option<IpAddr>,
    cursor: Option<Cursor>,
    wait: Option<Duration>,
    connection: Rc<Connection>,
}

impl Poll {
    pub(crate) fn read(
        uri: &Uri,
        headers: &CallHeaders,
        connection: Rc<Connection>,
    ) -> Result<Self, ApiError> {
        let session = headers.session.ok_or(ApiError::new(Code::TokenInvalid))?;
        let query = Query::<PollQuery>::from_query(uri.query().unwrap_or_default())?.into_inner();
        let cursor = query.cursor.as_deref().map(str::parse).transpose();
        let cursor = cursor.map_err(|_| ApiError::new(Code::CursorInvalid))?;
        let wait = query.wait.map(Duration::from_secs);
        Ok(Self { session, observed: headers.observed, cursor, wait, connection })
    }

    pub(crate) async fn answer(self, Worker { app, line }: &Worker) -> Result<HttpResponse, ApiError> {
        let Lifetimes { wait: wait_default, wait_max, drain_spread, .. } = app.config().lifetimes;
        let now = clock::now();
        app.limiter.poll(self.observed, now).map_err(ApiError::rate_limited)?;
        let until = self.parked_until(self.wait.unwrap_or(wait_default).min(wait_max), now);

        let heard = app.exchange.wait(line, self.session, self.cursor, until).await?;
        Ok(match heard {
            Some(batch) => {
                app.metrics.batch();
                bypass::answer(self.connection, batch.to_json())
            }
            None if app.draining.is_cancelled() => {
                let back_after = retry_after_value(jitter(drain_spread));
                HttpResponse::NoContent().insert_header((RETRY_AFTER, back_after)).finish()
            }
            None => HttpResponse::NoContent().finish(),
        })
    }

    /// When it is answered if there is nothing: after its wait, or when its connection has to end.
    fn parked_until(&self, wait: Duration, now: Instant) -> Instant {
        let waited = now + wait;
        match self.connection.close_by() {
            Some(close_by) => waited.min(close_by.max(now + PARKED_MIN)),
            None => waited,
        }
    }
}
