//! The long-poll.
//!
//! Its handler may be dropped while it waits, or go on after its client is gone, so it takes nothing out: the
//! next poll's cursor does.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::header::{ContentType, RETRY_AFTER},
    web,
};
use protocol::Code;
use serde::Deserialize;

use crate::{
    app::App,
    caller::Authenticated,
    clock,
    error::{ApiError, jitter, retry_after_value},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollQuery {
    cursor: Option<String>,
    /// In seconds; a longer one than allowed is cut.
    wait: Option<u64>,
}

pub(crate) async fn poll(
    app: web::Data<App>,
    caller: Authenticated,
    query: web::Query<PollQuery>,
) -> Result<HttpResponse, ApiError> {
    let lifetimes = &app.config.lifetimes;
    let cursor = query.cursor.as_deref().map(str::parse).transpose();
    let cursor = cursor.map_err(|_| ApiError::new(Code::CursorInvalid))?;
    let wait = query.wait.map_or(lifetimes.wait, Duration::from_secs).min(lifetimes.wait_max);
    let until = clock::now() + wait;

    let waiting = app.exchange.wait(*caller, cursor, until);
    let Some(outcome) = app.draining.run_until_cancelled(waiting).await else {
        let back_after = retry_after_value(jitter(lifetimes.drain_spread));
        return Ok(HttpResponse::NoContent().insert_header((RETRY_AFTER, back_after)).finish());
    };
    Ok(match outcome? {
        Some(batch) => HttpResponse::Ok().content_type(ContentType::json()).body(batch.to_json()),
        None => HttpResponse::NoContent().finish(),
    })
}
