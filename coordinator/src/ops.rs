//! Health and numbers for the operator, on a listener of their own that peers can't reach.

use actix_web::{HttpResponse, http::header::ContentType, web};
use protocol::paths::coordinator as paths;

use crate::app::App;

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .route(paths::LIVEZ, web::get().to(livez))
        .route(paths::READYZ, web::get().to(readyz))
        .route(paths::METRICS, web::get().to(metrics));
}

/// The process answers.
async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::plaintext()).body("alive\n")
}

/// The server takes calls; not while it ends.
async fn readyz(app: web::Data<App>) -> HttpResponse {
    if app.draining.is_cancelled() {
        HttpResponse::ServiceUnavailable().content_type(ContentType::plaintext()).body("draining\n")
    } else {
        HttpResponse::Ok().content_type(ContentType::plaintext()).body("ready\n")
    }
}

/// Numbers without labels: nothing in them can name anyone.
async fn metrics(app: web::Data<App>) -> HttpResponse {
    let load = app.exchange.load().await;
    let text = format!(
        "# HELP hearsay_sessions Connected sessions.\n\
         # TYPE hearsay_sessions gauge\n\
         hearsay_sessions {}\n\
         # HELP hearsay_parked_polls Polls that wait for an event.\n\
         # TYPE hearsay_parked_polls gauge\n\
         hearsay_parked_polls {}\n",
        load.sessions, load.parked_polls
    );
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text)
}
