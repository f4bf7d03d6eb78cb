//! The API as one table: it configures the router, and a test holds it against `openapi.yaml`.

use std::future::ready;

use actix_web::{
    HttpResponse, Route as Handler,
    error::ResponseError as _,
    guard,
    http::{
        Method,
        header::{ALLOW, HeaderValue},
    },
    web,
};
use protocol::{Code, paths::coordinator as paths};

use crate::{
    config::Limits,
    error::{self, ApiError},
    handlers::{introductions, searches, sessions},
};

/// One call of the API.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// Not of a call that is answered [before the router](crate::calls).
    handler: Option<fn() -> Handler>,
}

#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: "POST", path: paths::SESSIONS, handler: Some(|| on(Method::POST).to(sessions::connect)) },
    Route { method: "DELETE", path: paths::SESSION, handler: Some(|| on(Method::DELETE).to(sessions::disconnect)) },
    Route { method: "GET", path: paths::EVENTS, handler: None },
    Route { method: "PUT", path: paths::SEARCH, handler: Some(|| on(Method::PUT).to(searches::open)) },
    Route { method: "DELETE", path: paths::SEARCH, handler: Some(|| on(Method::DELETE).to(searches::withdraw)) },
    Route { method: "POST", path: paths::ANSWER, handler: Some(|| on(Method::POST).to(searches::answer)) },
    Route { method: "PUT", path: paths::INTRODUCTION, handler: Some(|| on(Method::PUT).to(introductions::send)) },
    Route { method: "DELETE", path: paths::INTRODUCTION, handler: Some(|| on(Method::DELETE).to(introductions::withdraw)) },
    Route { method: "PUT", path: paths::REPLY, handler: Some(|| on(Method::PUT).to(introductions::reply)) },
];

/// The library's own guards note with every call which methods they would take. The table has that.
fn on(method: Method) -> Handler {
    web::route().guard(guard::fn_guard(move |call| call.head().method == method))
}

/// Puts the table into the router, with our own errors in place of the framework's.
pub(crate) fn configure(config: &mut web::ServiceConfig, limits: &Limits) {
    config
        .app_data(web::PathConfig::default().error_handler(error::path_error))
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
        for handler in of_path().filter_map(|route| route.handler) {
            resource = resource.route(handler());
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
