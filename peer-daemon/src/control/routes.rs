//! The control API's routes, in one table.

use actix_web::{
    Route,
    web::{self, ServiceConfig, delete, get, post, put},
};
use protocol::paths::control::{
    CONFIG, CONNECTION, DOCTOR, DOWNLOAD, DOWNLOAD_CANCEL, DOWNLOAD_PAUSE, DOWNLOAD_RESUME, DOWNLOAD_RETRY,
    DOWNLOAD_WHY, DOWNLOADS, GUI_LOGIN, LINK, REQUEST_ACCEPT, REQUEST_DECLINE, REQUESTS, SEARCH, SEARCHES,
    SETTING, SHARES, SHARES_PREVIEW, SHARES_RESCAN, SHUTDOWN, STATUS, UPLOADS,
};

use super::{error::method_not_allowed, handlers as to, setting_handlers, share_handlers};

/// What the socket and the web page have in common.
pub(super) fn configure_shared(config: &mut ServiceConfig) {
    let table = [
        (STATUS, vec![get().to(to::status)]),
        (CONNECTION, vec![put().to(to::connect), delete().to(to::disconnect)]),
        (SEARCHES, vec![post().to(to::start_search)]),
        (SEARCH, vec![get().to(to::view_search), post().to(to::search_again)]),
        (DOWNLOADS, vec![get().to(to::list_downloads), post().to(to::add_downloads)]),
        (DOWNLOAD, vec![get().to(to::show_download), delete().to(to::remove_download)]),
        (DOWNLOAD_PAUSE, vec![post().to(to::pause_download)]),
        (DOWNLOAD_RESUME, vec![post().to(to::resume_download)]),
        (DOWNLOAD_RETRY, vec![post().to(to::retry_download)]),
        (DOWNLOAD_CANCEL, vec![post().to(to::cancel_download)]),
        (DOWNLOAD_WHY, vec![get().to(to::explain_download)]),
        (REQUESTS, vec![get().to(to::list_requests)]),
        (REQUEST_ACCEPT, vec![post().to(to::accept_request)]),
        (REQUEST_DECLINE, vec![post().to(to::decline_request)]),
        (UPLOADS, vec![get().to(to::list_uploads)]),
    ];
    mount(config, table);
}

/// What the socket has alone: the page neither ends the daemon, nor lets others in, nor changes what is offered.
pub(super) fn configure_own(config: &mut ServiceConfig) {
    let table = [
        (GUI_LOGIN, vec![post().to(to::log_in_to_gui)]),
        (SHUTDOWN, vec![post().to(to::shut_down)]),
        (
            SHARES,
            vec![
                get().to(share_handlers::list),
                post().to(share_handlers::add),
                delete().to(share_handlers::remove),
            ],
        ),
        (SHARES_RESCAN, vec![post().to(share_handlers::rescan)]),
        (SHARES_PREVIEW, vec![post().to(share_handlers::preview)]),
        (LINK, vec![get().to(share_handlers::link)]),
        (DOCTOR, vec![get().to(to::examine)]),
        (CONFIG, vec![get().to(setting_handlers::show)]),
        (SETTING, vec![put().to(setting_handlers::set), delete().to(setting_handlers::unset)]),
    ];
    mount(config, table);
}

fn mount<const N: usize>(config: &mut ServiceConfig, table: [(&str, Vec<Route>); N]) {
    for (path, routes) in table {
        let resource = web::resource(path).default_service(web::route().to(method_not_allowed));
        config.service(routes.into_iter().fold(resource, actix_web::Resource::route));
    }
}
