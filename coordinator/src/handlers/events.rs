//! The long-poll.
//!
//! Its handler may be dropped while it waits, or go on after its client is gone, so it takes nothing out: the
//! next poll's cursor does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, http::header::RETRY_AFTER, web};
use protocol::Code;
use serde::Deserialize;

use crate::{
    app::{App, client_address},
    caller::Bearer,
    clock,
    config::Lifetimes,
    connection::ConnectionMark,
    error::{ApiError, jitter, retry_after_value},
    exchange::line::Line,
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
    request: HttpRequest,
    bearer: Bearer,
    query: web::Query<PollQuery>,
) -> Result<HttpResponse, ApiError> {
    let app = App::of(&request)?;
    let line = request.app_data::<Arc<Line>>().ok_or(ApiError::new(Code::Internal))?;
    let Lifetimes { wait: wait_default, wait_max, drain_spread, .. } = app.config().lifetimes;
    let PollQuery { cursor, wait } = query.into_inner();
    let cursor = cursor.as_deref().map(str::parse).transpose();
    let cursor = cursor.map_err(|_| ApiError::new(Code::CursorInvalid))?;
    let wait = wait.map_or(wait_default, Duration::from_secs).min(wait_max);
    let now = clock::now();
    app.limiter.poll(client_address(&request), now).map_err(ApiError::rate_limited)?;
    let until = parked_until(&request, wait, now);

    let heard = app.exchange.wait(line, bearer.session, cursor, until).await?;
    Ok(match heard {
        Some(batch) => {
            app.metrics.batch();
            let mark = request.conn_data::<ConnectionMark>().ok_or(ApiError::new(Code::Internal))?;
            mark.outbox().answer(batch.to_json())
        }
        None if app.draining.is_cancelled() => {
            let back_after = retry_after_value(jitter(drain_spread));
            HttpResponse::NoContent().insert_header((RETRY_AFTER, back_after)).finish()
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
