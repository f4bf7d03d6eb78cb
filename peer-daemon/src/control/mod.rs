//! The control API: HTTP on a Unix socket, for peerctl and scripts of the same user.
//!
//! It is a security boundary: the socket's folder is the owner's alone, every connection's user is checked, and
//! nothing that a browser could be made to send is served.

mod block_handlers;
mod caller;
#[cfg(test)]
mod contract;
mod error;
mod events;
mod guard;
mod handlers;
mod page_folders;
mod routes;
mod setting_handlers;
mod share_handlers;
mod socket;

use std::io;

use actix_web::{App, HttpServer, middleware, web};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(crate) use self::routes::ROUTES;
pub(crate) use self::{
    caller::Caller,
    error::{ControlError, json_config, method_not_allowed, route_unknown},
    events::Streams,
    handlers::{Controls, Network},
    routes::Doors,
    socket::{ControlSocket, SocketError, could_bind},
};

/// One person steers a daemon; more workers would only cost memory.
const WORKERS: usize = 1;
/// Calls that are in work are given this long when the daemon ends.
const DRAIN_SECONDS: u64 = 5;

/// The calls that may come through the web page, with what they need to read requests.
pub(crate) fn configure_for_page(config: &mut web::ServiceConfig) {
    configure(config, |doors| doors == Doors::Both);
}

fn configure(config: &mut web::ServiceConfig, is_let_in: impl Fn(Doors) -> bool) {
    config.app_data(json_config()).app_data(error::query_config()).app_data(error::path_config());
    routes::configure(config, is_let_in);
}

/// Serves until the token is cancelled.
pub(crate) async fn serve(
    socket: ControlSocket,
    controls: Controls,
    token: CancellationToken,
) -> io::Result<()> {
    let controls = web::Data::new(controls);
    let streams = web::Data::new(Streams::new());
    let listener = socket.listener()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(controls.clone())
            .app_data(streams.clone())
            .wrap(middleware::from_fn(guard::admit_own_user))
            .configure(|config| configure(config, |_| true))
            .default_service(web::route().to(route_unknown))
    })
    .on_connect(guard::note_user)
    .workers(WORKERS)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .shutdown_signal(token.cancelled_owned())
    .listen_uds(listener)?
    .run();
    let result = server.await;
    drop(socket);
    result
}
