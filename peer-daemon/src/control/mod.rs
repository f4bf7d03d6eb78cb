//! The control API: HTTP on a Unix socket, for peerctl and scripts of the same user.
//!
//! It is a security boundary: the socket's folder is the owner's alone, every connection's user is checked, and
//! nothing that a browser could be made to send is served.

mod block_handlers;
mod error;
mod guard;
mod handlers;
mod routes;
mod setting_handlers;
mod share_handlers;
mod socket;

use std::io;

use actix_web::{App, HttpServer, middleware, web};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    error::{ControlError, json_config, method_not_allowed, route_unknown},
    handlers::{Controls, Network},
    socket::{ControlSocket, SocketError},
};

/// One person steers a daemon; more workers would only cost memory.
const WORKERS: usize = 1;
/// Calls that are in work are given this long when the daemon ends.
const DRAIN_SECONDS: u64 = 5;

/// The routes that the web page has too, with what they need to read requests.
pub(crate) fn configure_shared(config: &mut web::ServiceConfig) {
    config.app_data(json_config()).app_data(error::query_config()).configure(routes::configure_shared);
}

/// Serves until the token is cancelled.
pub(crate) async fn serve(
    socket: ControlSocket,
    controls: Controls,
    token: CancellationToken,
) -> io::Result<()> {
    let controls = web::Data::new(controls);
    let listener = socket.listener()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(controls.clone())
            .wrap(middleware::from_fn(guard::admit_own_user))
            .configure(configure_shared)
            .configure(routes::configure_own)
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
