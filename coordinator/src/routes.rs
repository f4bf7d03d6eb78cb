//! The API as one table: it configures the router, and a test holds it against `openapi.yaml`.

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Route as Handler,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ResponseError as _,
    guard,
    http::{
        ConnectionType, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, HeaderValue, TRANSFER_ENCODING},
    },
    middleware::Next,
    web,
};
use protocol::{Code, paths::coordinator as paths};

use crate::{
    app::App,
    clock,
    config::{Lifetimes, Limits},
    connection::ConnectionMark,
    error::{self, ApiError, jitter},
    handlers::{events, introductions, searches, sessions},
    head,
    pace::Brings,
    stack,
};

/// One call of the API.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    handler: fn() -> Handler,
}

#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: paths::SESSIONS, handler: || on(Method::POST).to(sessions::connect) },
    Route { method: "DELETE", path: paths::SESSION, handler: || on(Method::DELETE).to(sessions::disconnect) },
    Route { method: "GET", path: paths::EVENTS, handler: || on(Method::GET).to(events::poll) },
    Route { method: "PUT", path: paths::SEARCH, handler: || on(Method::PUT).to(searches::open) },
    Route { method: "DELETE", path: paths::SEARCH, handler: || on(Method::DELETE).to(searches::withdraw) },
    Route { method: "POST", path: paths::ANSWER, handler: || on(Method::POST).to(searches::answer) },
    Route { method: "PUT", path: paths::INTRODUCTION, handler: || on(Method::PUT).to(introductions::send) },
    Route { method: "DELETE", path: paths::INTRODUCTION, handler: || on(Method::DELETE).to(introductions::withdraw) },
    Route { method: "PUT", path: paths::REPLY, handler: || on(Method::PUT).to(introductions::reply) },
];

/// The library's own guards note with every call which methods they would take. The table has that.
fn on(method: Method) -> Handler {
    web::route().guard(guard::fn_guard(move |call| call.head().method == method))
}

/// Puts the table into the router, with our own errors in place of the framework's.
pub(crate) fn configure(config: &mut web::ServiceConfig, limits: &Limits) {
    config
        .app_data(web::PathConfig::default().error_handler(error::path_error))
        .app_data(web::QueryConfig::default().error_handler(error::query_error))
        .default_service(web::to(|| async { ApiError::new(Code::RouteUnknown).error_response() }));
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let of_path = || ROUTES.iter().filter(move |route| route.path == path);
        let allowed = of_path().map(|route| route.method).collect::<Vec<_>>().join(", ");
        // The one call that anyone can make, a session or not, is a short one.
        let body_bytes_max =
            if path == paths::SESSIONS { limits.connect_body_bytes } else { limits.body_bytes };
        let mut resource = web::resource(path)
            .app_data(web::JsonConfig::default().limit(body_bytes_max).error_handler(error::json_error));
        for route in of_path() {
            resource = resource.route((route.handler)());
        }
        config.service(resource.default_service(web::to(move || ready(method_not_allowed(&allowed)))));
    }
}

fn method_not_allowed(allowed: &str) -> HttpResponse {
    let mut response = ApiError::new(Code::MethodNotAllowed).error_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Around every call: none is begun while the server ends, no answer is kept by a cache, and no connection
/// that carried content is kept.
pub(crate) async fn around_calls(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let may_carry_content = may_carry_content(request.method());
    let mut response = match begin(&mut request, may_carry_content) {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(refused) => request.into_response(refused.error_response()).map_into_right_body(),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        App::of(response.request())?.metrics.refused();
    }
    // A poll hands on what lies in mailboxes and copies none of it to the stack.
    if may_carry_content {
        stack::wipe();
    }
    let mark = response.request().conn_data::<ConnectionMark>();
    mark.inspect(|mark| mark.end_call());
    if mark.is_some_and(|mark| mark.is_due(clock::now())) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Takes the call's headers over, and refuses it if the server ends.
fn begin(request: &mut ServiceRequest, may_carry_content: bool) -> Result<(), ApiError> {
    let app = App::of(request.request())?;
    let config = app.config();
    let is_draining = app.draining.is_cancelled();
    let brings = match (request.headers().contains_key(TRANSFER_ENCODING), may_carry_content) {
        (true, _) => Brings::Chunks,
        (false, true) => Brings::Body,
        (false, false) => Brings::Nothing,
    };
    let kept = head::take_over(request.request(), brings, app, &config);
    request.head_mut().headers = kept;
    if may_carry_content {
        mark_connection(request.request(), &config.lifetimes);
    }
    // Ending a session is the one call that makes less work for later.
    if is_draining && request.method() != Method::DELETE {
        return Err(ApiError::new(Code::Draining).after(jitter(config.lifetimes.drain_spread)));
    }
    Ok(())
}

/// Whether a request of this method brings anything that is to be forgotten. Of the answers only those to polls
/// have content, and it goes past the buffers of the connection.
fn may_carry_content(method: &Method) -> bool {
    *method != Method::GET && *method != Method::DELETE
}

fn mark_connection(request: &HttpRequest, lifetimes: &Lifetimes) {
    if let Some(mark) = request.conn_data::<ConnectionMark>() {
        mark.carries_content(clock::now(), lifetimes.content_connection());
    }
}
