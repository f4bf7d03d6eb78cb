//! The long-poll.
//!
//! Its handler may be dropped while it waits, or go on after its client is gone, so it takes nothing out: the
//! next poll's cursor does.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ContentType, RETRY_AFTER},
    web,
};
use protocol::Code;
use serde::Deserialize;

use crate::{
    app::App,
    caller::Authenticated,
    clock,
    config::Lifetimes,
    connection::ConnectionMark,
    error::{ApiError, jitter, retry_after_value},
    rate_limit::Act,
};

/// Peers take a 204 that comes sooner for a poll that was cut short, and hold back the next one.
const PARKED_MIN: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollQuery {
    cursor: Option<String>,
    /// In seconds; a longer one than allowed is cut.
    wait: Option<u64>,
}

pub(crate) async fn poll(
    app: web::Data<App>,
    request: HttpRequest,
    caller: Authenticated,
    query: web::Query<PollQuery>,
) -> Result<HttpResponse, ApiError> {
    let Lifetimes { wait: wait_default, wait_max, drain_spread, .. } = app.config().lifetimes;
    let PollQuery { cursor, wait } = query.into_inner();
    let cursor = cursor.as_deref().map(str::parse).transpose();
    let cursor = cursor.map_err(|_| ApiError::new(Code::CursorInvalid))?;
    let wait = wait.map_or(wait_default, Duration::from_secs).min(wait_max);
    app.within_budget(Act::Poll, &request, *caller)?;
    let until = parked_until(&request, wait, clock::now());

    let waiting = app.exchange.wait(*caller, cursor, until);
    let Some(outcome) = app.draining.run_until_cancelled(waiting).await else {
        let back_after = retry_after_value(jitter(drain_spread));
        return Ok(HttpResponse::NoContent().insert_header((RETRY_AFTER, back_after)).finish());
    };
    Ok(match outcome? {
        Some(batch) => {
            app.metrics.batch();
            HttpResponse::Ok().content_type(ContentType::json()).body(batch.to_json())
        }
        None => HttpResponse::NoContent().finish(),
    })
}

/// When a poll without events is answered: after its wait, or when its connection has to end.
fn parked_until(request: &HttpRequest, wait: Duration, now: Instant) -> Instant {
    let waited = now + wait;
    let mark = request.conn_data::<ConnectionMark>();
    match mark.and_then(ConnectionMark::close_by) {
        Some(close_by) => waited.min(close_by.max(now + PARKED_MIN)),
        None => waited,
    }
}
