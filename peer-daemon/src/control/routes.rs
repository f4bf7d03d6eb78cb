//! The control API as one table: it configures the routers of both doors, and a test holds it against
//! `docs/control-api.yaml`.
//!
//! What a browser may do is decided here. A call that comes through the page has shown a session and comes from
//! our own page, but a page lives among other pages: what would end the daemon, let others in, or tell of files
//! that are not shared stays with the socket. Adding a share is the page's too, for a folder that nobody can add
//! is a page that nobody can use; the page shows first what others would see of it, and is for folders in some places
//! only ([`super::page_folders`]). Settings that guard
//! something are refused one by one ([`super::setting_handlers`]).

use actix_web::{
    Route as Handler,
    http::Method,
    web::{self, ServiceConfig},
};
use protocol::paths::control::{
    BLOCKS, CONFIG, CONNECTION, DOCTOR, DOWNLOAD, DOWNLOAD_CANCEL, DOWNLOAD_PAUSE, DOWNLOAD_RESUME,
    DOWNLOAD_RETRY, DOWNLOAD_WHY, DOWNLOADS, EVENTS, GUI_LOGIN, LINK, REQUEST_ACCEPT, REQUEST_DECLINE,
    REQUESTS, SEARCH, SEARCHES, SETTING, SHARES, SHARES_PREVIEW, SHARES_RESCAN, SHUTDOWN, STATUS, UPLOADS,
};

use super::{
    block_handlers, error::method_not_allowed, events, handlers as to, setting_handlers, share_handlers,
};

/// Through which doors a call may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doors {
    /// The control socket and the web page.
    Both,
    /// The control socket alone.
    Socket,
}

/// One call of the API.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) doors: Doors,
    to: fn(Handler) -> Handler,
}

const fn both(method: Method, path: &'static str, to: fn(Handler) -> Handler) -> Route {
    Route { method, path, doors: Doors::Both, to }
}

const fn socket(method: Method, path: &'static str, to: fn(Handler) -> Handler) -> Route {
    Route { method, path, doors: Doors::Socket, to }
}

#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    both(Method::GET, STATUS, |call| call.to(to::status)),
    both(Method::GET, EVENTS, |call| call.to(events::watch)),
    both(Method::PUT, CONNECTION, |call| call.to(to::connect)),
    both(Method::DELETE, CONNECTION, |call| call.to(to::disconnect)),
    both(Method::POST, SEARCHES, |call| call.to(to::start_search)),
    both(Method::GET, SEARCH, |call| call.to(to::view_search)),
    both(Method::POST, SEARCH, |call| call.to(to::search_again)),
    both(Method::GET, DOWNLOADS, |call| call.to(to::list_downloads)),
    both(Method::POST, DOWNLOADS, |call| call.to(to::add_downloads)),
    both(Method::GET, DOWNLOAD, |call| call.to(to::show_download)),
    both(Method::DELETE, DOWNLOAD, |call| call.to(to::remove_download)),
    both(Method::POST, DOWNLOAD_PAUSE, |call| call.to(to::pause_download)),
    both(Method::POST, DOWNLOAD_RESUME, |call| call.to(to::resume_download)),
    both(Method::POST, DOWNLOAD_RETRY, |call| call.to(to::retry_download)),
    both(Method::POST, DOWNLOAD_CANCEL, |call| call.to(to::cancel_download)),
    both(Method::GET, DOWNLOAD_WHY, |call| call.to(to::explain_download)),
    both(Method::GET, REQUESTS, |call| call.to(to::list_requests)),
    both(Method::POST, REQUEST_ACCEPT, |call| call.to(to::accept_request)),
    both(Method::POST, REQUEST_DECLINE, |call| call.to(to::decline_request)),
    both(Method::GET, UPLOADS, |call| call.to(to::list_uploads)),
    both(Method::GET, SHARES, |call| call.to(share_handlers::list)),
    both(Method::POST, SHARES, |call| call.to(share_handlers::add)),
    both(Method::DELETE, SHARES, |call| call.to(share_handlers::remove)),
    both(Method::POST, SHARES_RESCAN, |call| call.to(share_handlers::rescan)),
    both(Method::POST, SHARES_PREVIEW, |call| call.to(share_handlers::preview)),
    both(Method::GET, CONFIG, |call| call.to(setting_handlers::show)),
    both(Method::PUT, SETTING, |call| call.to(setting_handlers::set)),
    both(Method::DELETE, SETTING, |call| call.to(setting_handlers::unset)),
    both(Method::GET, BLOCKS, |call| call.to(block_handlers::list)),
    both(Method::POST, BLOCKS, |call| call.to(block_handlers::add)),
    both(Method::DELETE, BLOCKS, |call| call.to(block_handlers::remove)),
    socket(Method::GET, DOCTOR, |call| call.to(to::examine)),
    socket(Method::GET, LINK, |call| call.to(share_handlers::link)),
    socket(Method::POST, GUI_LOGIN, |call| call.to(to::log_in_to_gui)),
    socket(Method::POST, SHUTDOWN, |call| call.to(to::shut_down)),
];

/// Puts what may come through one door into its router.
pub(super) fn configure(config: &mut ServiceConfig, is_let_in: impl Fn(Doors) -> bool) {
    let mut routes: Vec<&Route> = ROUTES.iter().filter(|route| is_let_in(route.doors)).collect();
    // Stable, so that the calls of a path stay in the table's order.
    routes.sort_by_key(|route| route.path);
    for of_path in routes.chunk_by(|a, b| a.path == b.path) {
        let resource = web::resource(of_path[0].path).default_service(web::route().to(method_not_allowed));
        let calls = of_path.iter().map(|route| (route.to)(web::method(route.method.clone())));
        config.service(calls.fold(resource, actix_web::Resource::route));
    }
}
