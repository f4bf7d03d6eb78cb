//! The control API's routes, in one table.

use actix_web::{
    Route,
    web::{self, ServiceConfig, delete, get, post, put},
};
use protocol::paths::control::{
    CONNECTION, DOWNLOAD, DOWNLOAD_CANCEL, DOWNLOAD_PAUSE, DOWNLOAD_RESUME, DOWNLOAD_RETRY, DOWNLOADS,
    GUI_LOGIN, SEARCH, SEARCHES, SHUTDOWN, STATUS, UPLOADS,
};

use super::{error::method_not_allowed, handlers as to};

/// What the socket and the web page have in common.
pub(super) fn configure_shared(config: &mut ServiceConfig) {
    mount(
        config,
        vec![
            (STATUS, vec![get().to(to::status)]),
            (CONNECTION, vec![put().to(to::connect), delete().to(to::disconnect)]),
            (SEARCHES, vec![post().to(to::start_search)]),
            (SEARCH, vec![get().to(to::view_search)]),
            (DOWNLOADS, vec![get().to(to::list_downloads), post().to(to::add_downloads)]),
            (DOWNLOAD, vec![get().to(to::show_download), delete().to(to::remove_download)]),
            (DOWNLOAD_PAUSE, vec![post().to(to::pause_download)]),
            (DOWNLOAD_RESUME, vec![post().to(to::resume_download)]),
            (DOWNLOAD_RETRY, vec![post().to(to::retry_download)]),
            (DOWNLOAD_CANCEL, vec![post().to(to::cancel_download)]),
            (UPLOADS, vec![get().to(to::list_uploads)]),
        ],
    );
}

/// What the socket has alone: the page neither ends the daemon nor lets others in.
pub(super) fn configure_own(config: &mut ServiceConfig) {
    mount(
        config,
        vec![(SHUTDOWN, vec![post().to(to::shut_down)]), (GUI_LOGIN, vec![post().to(to::log_in_to_gui)])],
    );
}

fn mount(config: &mut ServiceConfig, table: Vec<(&str, Vec<Route>)>) {
    for (path, routes) in table {
        let resource = web::resource(path).default_service(web::route().to(method_not_allowed));
        config.service(routes.into_iter().fold(resource, actix_web::Resource::route));
    }
}
