//! The routes of the page's server. The files are for anybody who reaches it; all else is for a session.

use actix_web::{
    HttpResponse, Resource, middleware,
    web::{self, ServiceConfig, delete, get, post},
};
use protocol::paths::gui::SESSION;

use super::{assets::ASSETS, guard, session};
use crate::control;

pub(super) fn configure(config: &mut ServiceConfig) {
    for asset in ASSETS {
        let file = move || async move { HttpResponse::Ok().content_type(asset.kind).body(asset.text) };
        config.service(resource(asset.path).route(get().to(file)));
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
