//! Health and numbers for the operator, on a listener of their own that peers can't reach.

use actix_web::{HttpResponse, http::header::ContentType, web};
use protocol::paths::coordinator as paths;

use crate::{app::App, metrics, process::Usage};

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

async fn metrics(app: web::Data<App>) -> HttpResponse {
    let counts = app.exchange.load().await;
    HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(app.metrics.encode(&counts, &Usage::now()))
}
