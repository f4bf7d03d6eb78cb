//! Around every call: none is begun while the server ends, what its headers say is kept for as long as it takes, no
//! answer is kept by a cache, and no connection that carried content is kept.
//!
//! ```text
//!                        ┌─▶ poll ───────────────────┐
//!   request ──▶ begin ───┤                           ├──▶ finish ──▶ response
//!                        └─▶ router ──▶ handler ─────┘
//! ```
//! Polls don't go through the router. It takes an allocation at each of its stages, and keeps them, and the head of the
//! request, until the answer; thousands of polls are parked at a time, and all of that would be memory that is cold
//! when a search wakes them. A parked poll has one allocation besides its connection's.

use std::{rc::Rc, sync::Arc};

use actix_http::{ConnectionType, Method, Request, Response, StatusCode};
use actix_service::{IntoServiceFactory, Service as _, ServiceFactory, apply_fn_factory};
use actix_web::{
    body::BoxBody,
    dev::ServiceResponse,
    error::ResponseError as _,
    http::header::{CACHE_CONTROL, HeaderValue, TRANSFER_ENCODING},
    web,
};
use protocol::{Code, paths::coordinator as paths};

use crate::{
    app::App,
    clock,
    connection::Connection,
    error::{ApiError, jitter},
    exchange::line::Line,
    handlers::events::Poll,
    head,
    pace::Brings,
    stack,
};

/// What the calls of one worker share.
pub(crate) struct Worker {
    pub(crate) app: web::Data<App>,
    pub(crate) line: Arc<Line>,
}

/// Answers calls on this thread: polls itself, and all others with the router.
pub(crate) fn answer_with<R, S>(
    router: R,
    worker: Worker,
) -> impl ServiceFactory<
    Request,
    Config = S::Config,
    Response = Response<BoxBody>,
    Error = actix_web::Error,
    InitError = S::InitError,
>
where
    R: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Response = ServiceResponse, Error = actix_web::Error>,
{
    let worker = Rc::new(worker);
    apply_fn_factory(router, move |mut request: Request, router: &S::Service| {
        let worker = Rc::clone(&worker);
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        let may_carry_content = may_carry_content(request.method());
        let call = match begin(&mut request, &worker.app, connection.as_ref(), may_carry_content) {
            Ok(Some(poll)) => Call::Poll(poll),
            Ok(None) => Call::Routed(router.call(request)),
            Err(refused) => Call::Refused(refused),
        };
        async move {
            let mut response = match call {
                Call::Poll(poll) => {
                    poll.answer(&worker).await.unwrap_or_else(|error| error.error_response()).into()
                }
                Call::Routed(answer) => answer.await?.into(),
                Call::Refused(refused) => refused.error_response().into(),
            };
            finish(&mut response, &worker.app, connection.as_deref(), may_carry_content);
            Ok(response)
        }
    })
}

enum Call<R> {
    Poll(Poll),
    Routed(R),
    Refused(ApiError),
}

/// Takes the call's headers over, reads it if it is a poll, and refuses it if the server ends.
fn begin(
    request: &mut Request,
    app: &App,
    connection: Option<&Rc<Connection>>,
    may_carry_content: bool,
) -> Result<Option<Poll>, ApiError> {
    let connection = connection.ok_or(ApiError::new(Code::Internal))?;
    let config = app.config();
    connection.calls.begin(
        match (request.head().headers.contains_key(TRANSFER_ENCODING), may_carry_content) {
            (true, _) => Brings::Chunks,
            (false, true) => Brings::Body,
            (false, false) => Brings::Nothing,
        },
    );
    let headers = head::take_over(request.head_mut(), app, &config);
    if may_carry_content {
        connection.carries_content(clock::now(), config.lifetimes.content_connection());
    }
    // Ending a session is the one call that makes less work for later.
    if app.draining.is_cancelled() && *request.method() != Method::DELETE {
        return Err(ApiError::new(Code::Draining).after(jitter(config.lifetimes.drain_spread)));
    }
    if *request.method() == Method::GET && request.path() == paths::EVENTS {
        return Poll::read(request.uri(), &headers, Rc::clone(connection)).map(Some);
    }
    connection.keep(headers);
    Ok(None)
}

fn finish(
    response: &mut Response<BoxBody>,
    app: &App,
    connection: Option<&Connection>,
    may_carry_content: bool,
) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        app.metrics.refused();
    }
    // A poll hands on what lies in mailboxes and copies none of it to the stack.
    if may_carry_content {
        stack::wipe();
    }
    connection.inspect(|connection| connection.end_call());
    if connection.is_some_and(|connection| connection.is_due(clock::now())) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

/// Whether a request of this method brings anything that is to be forgotten. Of the answers only those to polls
/// have content, and it goes past the buffers of the connection.
fn may_carry_content(method: &Method) -> bool {
    *method != Method::GET && *method != Method::DELETE
}
