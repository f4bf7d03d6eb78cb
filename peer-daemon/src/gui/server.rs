//! The page's HTTP server. It is put together as actix-web's own is, but over streams of ours, which
//! [`connection`](super::connection) bounds.

use std::{cell::RefCell, future::ready, io, net::TcpListener, rc::Rc, time::Duration};

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{App, Error, dev::AppConfig, middleware, web::Data};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{
    connection::{BoundedStream, Connection, PATIENCE},
    crowd::Crowd,
    door::Door,
    guard, routes,
};
use crate::control::{Controls, Streams};

/// One person looks.
const WORKERS: usize = 1;
/// A browser opens at most six connections for a page; some tabs fit, and programs that only connect are bounded.
const CONNECTIONS_MAX: usize = 128;
/// So many more may have been accepted: those that have to go take a moment. They are few, so that whoever has come in
/// is looked at before as many others have come as there are places.
const LEAVING_MAX: usize = 16;
/// A page asks again within this, as a person clicks; afterwards a new connection costs nothing over loopback.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A client has so long to close its side after the last answer.
const DISCONNECT: Duration = Duration::from_secs(1);
/// Calls that are in work are given this long when the daemon ends; streams end by themselves.
const DRAIN_SECONDS: u64 = 5;

/// Serves once the value is awaited, and until the token is cancelled.
pub(super) fn serve(
    listener: TcpListener,
    door: Data<Door>,
    controls: Data<Controls>,
    token: CancellationToken,
) -> io::Result<Server> {
    let builder = Server::build()
        .workers(WORKERS)
        .max_concurrent_connections(CONNECTIONS_MAX + LEAVING_MAX)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .shutdown_signal(token.cancelled_owned());
    let shutdown = builder.graceful_shutdown_signal();
    let streams = Data::new(Streams::new());
    let builder = builder.listen("page", listener, move || {
        let router = App::new()
            .app_data(controls.clone())
            .app_data(door.clone())
            .app_data(streams.clone())
            .wrap(middleware::from_fn(guard::admit_own_page))
            .configure(routes::configure)
            .into_factory();
        let calls =
            map_config(router, |()| AppConfig::default()).map_err(|error: Error| error.error_response());
        let shutdown = shutdown.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            // The stream's own time goes on to the end of the answer.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(DISCONNECT)
            .on_connect_ext(|stream: &BoundedStream<TcpStream>, data| {
                data.insert(Rc::clone(stream.connection()));
            })
            .h1(calls);
        let connections = Rc::new(RefCell::new(Crowd::new(CONNECTIONS_MAX)));
        fn_service(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            let connection = Connection::enter(&connections);
            ready(Ok((BoundedStream::new(stream, connection, &PATIENCE), peer)))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
