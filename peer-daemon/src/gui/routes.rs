//! The routes of the page's server. The files are for anybody who reaches it; all else is for a session.

use actix_web::{
    HttpResponse, Resource, middleware,
    web::{self, ServiceConfig, delete, get, post},
};
use protocol::paths::gui::SESSION;

use super::{guard, session};
use crate::control;

/// The page. It has no names or secrets in it, and is in the program itself: there is no folder to read from.
const FILES: [(&str, &str, &str); 4] = [
    ("/", "text/html; charset=utf-8", include_str!("assets/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("/app.js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    for (path, kind, text) in FILES {
        let file = move || async move { HttpResponse::Ok().content_type(kind).body(text) };
        config.service(resource(path).route(get().to(file)));
    }
    config.service(
        resource(SESSION)
            .app_data(control::json_config())
            .route(post().to(session::open))
            .route(delete().to(session::close).wrap(middleware::from_fn(guard::admit_session))),
    );
    // What is not found is not told apart from what is, to those without a session.
    config.service(
        web::scope("")
            .wrap(middleware::from_fn(guard::admit_session))
            .configure(control::configure_for_page)
            .default_service(web::route().to(control::route_unknown)),
    );
}

fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::route().to(control::method_not_allowed))
}
