//! The HTTP server for peers. It is put together as actix-web's own is, but over streams of ours, for
//! [`bypass`](crate::bypass) and [`pace`](crate::pace).

use std::{
    fmt,
    future::ready,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::{HttpService, error::DispatchError};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::{
    App as ActixApp, Error,
    dev::{AppConfig, Server},
    web,
};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use crate::{
    app::App,
    bypass::BypassStream,
    calls::{self, Worker},
    clock,
    config::{Config, Lifetimes, Limits},
    connection::Connection,
    ending::Ending,
    inherited::Listener,
    pace::{PacedStream, Patience},
    routes,
};

/// Requests in flight get so long to finish once connections are closed.
const CLOSE_SECONDS: u64 = 5;
/// A client has so long to close its side after the last answer.
const DISCONNECT: Duration = Duration::from_secs(1);

/// What the workers need to set up their services.
#[derive(Clone)]
struct Setup {
    app: web::Data<App>,
    limits: Limits,
    lifetimes: Lifetimes,
    open: Gauge,
    start: Instant,
    shutdown: GracefulShutdownSignal,
}

/// Serves peers on these sockets once the value is awaited.
pub(crate) fn serve(app: &web::Data<App>, config: &Config, listeners: Vec<Listener>) -> io::Result<Server> {
    let builder = Server::build()
        .workers(config.workers.get())
        .max_concurrent_connections(config.limits.connections_a_worker)
        .shutdown_timeout(CLOSE_SECONDS)
        .disable_signals();
    let setup = Setup {
        app: app.clone(),
        limits: config.limits.clone(),
        lifetimes: config.lifetimes.clone(),
        open: app.metrics.connections(),
        start: clock::now(),
        shutdown: builder.graceful_shutdown_signal(),
    };
    let builder = listeners.into_iter().try_fold(builder, |builder, listener| {
        let setup = setup.clone();
        match listener {
            Listener::Tcp(listener) => {
                let observe = |stream: &TcpStream| stream.peer_addr().ok();
                builder.listen("peers", listener, move || setup.service(observe))
            }
            Listener::Unix(listener) => {
                let observe = |_: &UnixStream| None;
                builder.listen_uds("peers", listener, move || setup.service(observe))
            }
        }
    })?;
    Ok(builder.run())
}

impl Setup {
    fn service<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        peer: fn(&S) -> Option<SocketAddr>,
    ) -> impl ServiceFactory<S, Config = (), Response = (), Error = DispatchError, InitError: fmt::Debug> + use<S>
    {
        let Self { app, limits, lifetimes, open, start, shutdown } = self.clone();
        let patience = Rc::new(Patience {
            headers: lifetimes.headers,
            answer: lifetimes.answer,
            // Longer than the connection may be idle: an idle one is the library's affair.
            rest: lifetimes.keep_alive + lifetimes.headers,
        });
        let line = app.exchange.line();
        actix_web::rt::spawn(Arc::clone(&line).relay());
        let ending = Rc::new(Ending::default());
        let ended = Rc::clone(&ending);
        actix_web::rt::spawn(async move {
            shutdown.notified().await;
            ended.come();
        });
        let router = ActixApp::new()
            .app_data(app.clone())
            .configure(|service| routes::configure(service, &limits))
            .into_factory();
        let calls = calls::answer_with(map_config(router, |()| AppConfig::default()), Worker { app, line })
            .map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .keep_alive(lifetimes.keep_alive)
            .client_request_timeout(lifetimes.headers)
            .client_disconnect_timeout(DISCONNECT)
            // A client that has closed its side waits for nothing: its poll ends, and its lease begins to run.
            .h1_allow_half_closed(false)
            .on_connect_ext(move |stream: &BypassStream<PacedStream<S>>, data| {
                data.insert(Rc::clone(stream.connection()));
            })
            .h1(calls);
        fn_service(move |stream: S| {
            let peer = peer(&stream);
            let connection = Rc::new(Connection::new(&open, start));
            let paced =
                PacedStream::new(stream, Rc::clone(&connection), Rc::clone(&patience), Rc::clone(&ending));
            ready(Ok((BypassStream::new(paced, connection), peer)))
        })
        .and_then(http)
    }
}
