//! The server as a value: bound first, then run until told to stop.
//!
//! ```text
//!   bind ──▶ serving ──token──▶ draining ──drain time──▶ closing ──▶ ended
//! ```
//! Draining: parked polls are answered, new calls are refused, `readyz` says so. Closing: no more connections,
//! and those in flight are finished.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::AsFd,
        unix::{
            fs::FileTypeExt as _,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use actix_web::{App as ActixApp, HttpServer, dev, web};
use rustix::fs::Mode;
use thiserror::Error;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    clock,
    config::{Config, Listen, ServiceDirs, SocketMode},
    exchange::memory::MemoryExchange,
    http,
    inherited::{Inherited, Listener},
    ops,
    reload::Reloader,
    rules::rules,
    seal::{KeyFileError, Keys},
    service,
};

#[derive(Debug, Error)]
pub enum BindError {
    #[error("{listen} is in use: stop what listens there, or choose another address with {option}")]
    InUse { listen: String, option: &'static str },
    #[error("can't listen on {listen} ({source}): choose an address of this machine with {option}")]
    Listen { listen: String, option: &'static str, source: io::Error },
    #[error("an inherited socket does not tell its address: {0}")]
    Inherited(io::Error),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("can't write the ready file {path}: {source}")]
    ReadyFile { path: PathBuf, source: io::Error },
}

#[derive(Debug, Error)]
pub enum ServeError {
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
    #[error("what forgets and wakes has ended before the server: it panicked")]
    Forgetting(#[from] JoinError),
}

/// A bound coordinator.
pub struct Server {
    app: web::Data<App>,
    exchange: Arc<MemoryExchange>,
    /// What it was bound with, whatever is in force later.
    bound: Arc<Config>,
    main: dev::Server,
    ops: Option<dev::Server>,
    listen: Listen,
    /// The Unix socket that was made here.
    own_socket: Option<PathBuf>,
    ops_listen: Option<SocketAddr>,
}

impl Server {
    /// Takes the addresses; nothing is answered before [`run_until`](Self::run_until).
    pub fn bind(config: Config) -> Result<Self, BindError> {
        Self::bind_with(config, Inherited::default())
    }

    /// The same, but for addresses that somebody else has taken for it.
    pub fn bind_with(config: Config, inherited: Inherited) -> Result<Self, BindError> {
        let keys = match &config.key_file {
            Some(path) => Keys::from_file(path, ServiceDirs::from_env().guards(path))?,
            None => Keys::random(),
        };
        let exchange = Arc::new(MemoryExchange::new(rules(&config, clock::now())));
        let app = web::Data::new(App::new(config, keys, exchange.clone()));
        let config = app.config();
        let (main, listen, own_socket) = bind_main(&app, &config, inherited.main)?;
        let ops_place = inherited.ops.map(OpsPlace::Inherited).or(config.ops_listen.map(OpsPlace::At));
        let (ops, ops_listen) = match ops_place {
            Some(place) => bind_ops(&app, place).map(|(server, address)| (Some(server), Some(address)))?,
            None => (None, None),
        };
        let bound = Arc::clone(&config);
        let server = Self { app, exchange, bound, main, ops, listen, own_socket, ops_listen };
        if let Some(path) = &config.ready_file {
            server
                .write_ready_file(path)
                .map_err(|source| BindError::ReadyFile { path: path.clone(), source })?;
        }
        Ok(server)
    }

    /// Where peers connect; with the real port where 0 was asked for.
    pub fn addr(&self) -> &Listen {
        &self.listen
    }

    pub fn ops_addr(&self) -> Option<SocketAddr> {
        self.ops_listen
    }

    /// Changes this server while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader {
            app: self.app.clone(),
            exchange: Arc::clone(&self.exchange),
            bound: Arc::clone(&self.bound),
        }
    }

    /// Serves until the token is cancelled, then drains and ends.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), ServeError> {
        let tasks = TaskTracker::new();
        let ended = CancellationToken::new();
        let exchange = self.exchange;
        let (living, alive, exchange_end) = (Arc::clone(&exchange), ended.clone(), ended.clone());
        let (limited, limiter_end) = (self.app.clone(), ended.clone());
        let forgetting = guarded(&tasks, &stop, async move {
            tokio::join!(exchange.run_until(exchange_end), limited.limiter.forget_until(&limiter_end));
        });
        tasks.spawn(async move { service::live_until(&*living, alive).await });

        let main_handle = self.main.handle();
        let app = self.app;
        let drain = async {
            stop.cancelled().await;
            app.draining.cancel();
            app.exchange.end_waits();
            tokio::time::sleep(app.config().lifetimes.drain).await;
            main_handle.stop(true).await;
        };
        let ops_handle = self.ops.as_ref().map(dev::Server::handle);
        let serve_ops = async {
            match self.ops {
                Some(ops) => ops.await,
                None => Ok(()),
            }
        };
        let serve_main = async {
            // Should the server end by itself, the rest ends with it.
            let outcome = self.main.await;
            stop.cancel();
            if let Some(ops) = ops_handle {
                ops.stop(true).await;
            }
            outcome
        };
        let ((), served, ops_served) = tokio::join!(drain, serve_main, serve_ops);
        ended.cancel();
        tasks.close();
        tasks.wait().await;
        if let Some(path) = &self.own_socket {
            // A socket that is left over is recognised and replaced at the next start.
            let _ = fs::remove_file(path);
        }
        served?;
        ops_served?;
        forgetting.await?;
        Ok(())
    }

    /// Tells where the server listens, in one step: whoever sees the file sees all of it.
    fn write_ready_file(&self, path: &Path) -> io::Result<()> {
        let ready = serde_json::json!({
            "listen": self.listen.to_string(),
            "ops_listen": self.ops_listen.map(|address| address.to_string()),
        });
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        fs::write(&partial, ready.to_string())?;
        fs::rename(&partial, path)
    }
}

/// Runs what the server can't be without: whatever ends it ends the server.
fn guarded(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let guard = stop.clone().drop_guard();
    tasks.spawn(async move {
        let _guard = guard;
        task.await;
    })
}

/// The server, where it listens, and the Unix socket that was made for it.
fn bind_main(
    app: &web::Data<App>,
    config: &Config,
    inherited: Vec<Listener>,
) -> Result<(dev::Server, Listen, Option<PathBuf>), BindError> {
    let failed = |source| bind_error(&config.listen, "--listen", source);
    if let Some(first) = inherited.first() {
        let listen = first.address().map_err(BindError::Inherited)?;
        let server = http::serve(app, config, inherited).map_err(failed)?;
        return Ok((server, listen, None));
    }
    match &config.listen {
        Listen::Tcp(address) => {
            let listener = bind_tcp(*address, config.limits.backlog).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            let server = http::serve(app, config, vec![Listener::Tcp(listener)]).map_err(failed)?;
            Ok((server, Listen::Tcp(bound), None))
        }
        Listen::Unix(path) => {
            let listener = bind_unix(path, config.listen_mode, config.limits.backlog).map_err(failed)?;
            let server = http::serve(app, config, vec![Listener::Unix(listener)]).map_err(failed)?;
            Ok((server, config.listen.clone(), Some(path.clone())))
        }
    }
}

enum OpsPlace {
    Inherited(TcpListener),
    At(SocketAddr),
}

fn bind_ops(app: &web::Data<App>, place: OpsPlace) -> Result<(dev::Server, SocketAddr), BindError> {
    let address = match &place {
        OpsPlace::At(address) => *address,
        OpsPlace::Inherited(listener) => listener.local_addr().map_err(BindError::Inherited)?,
    };
    let failed = |source| bind_error(&Listen::Tcp(address), "--ops-listen", source);
    let shared = app.clone();
    let server = HttpServer::new(move || ActixApp::new().app_data(shared.clone()).configure(ops::configure))
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals();
    let server = match place {
        OpsPlace::Inherited(listener) => server.listen(listener),
        OpsPlace::At(address) => server.bind(address),
    };
    let server = server.map_err(failed)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), bound))
}

fn bind_tcp(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    set_backlog(&listener, backlog)?;
    Ok(listener)
}

/// To listen again changes how many may wait to be accepted.
fn set_backlog(listener: impl AsFd, backlog: u32) -> io::Result<()> {
    Ok(rustix::net::listen(listener, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}

/// Binds a Unix socket. One that nobody answers on is left over from a crash and is replaced.
fn bind_unix(path: &Path, mode: SocketMode, backlog: u32) -> io::Result<UnixListener> {
    // The umask gives the file its mode from its first instant; changing it afterwards would leave a gap.
    let bind = || {
        let before = rustix::process::umask(Mode::from_raw_mode(0o777 & !mode.bits()));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        bound
    };
    let listener = match bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match UnixStream::connect(path) {
            // A file that is no socket refuses, too.
            Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused && is_socket(path)? => {
                fs::remove_file(path)?;
                bind()?
            }
            _ => return Err(error),
        },
        outcome => outcome?,
    };
    set_backlog(&listener, backlog)?;
    Ok(listener)
}

fn is_socket(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.file_type().is_socket())
}

fn bind_error(listen: &Listen, option: &'static str, source: io::Error) -> BindError {
    let listen = listen.to_string();
    if source.kind() == io::ErrorKind::AddrInUse {
        BindError::InUse { listen, option }
    } else {
        BindError::Listen { listen, option, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A coordinator that goes on without its sweep would forget nothing.
    #[tokio::test]
    async fn a_panic_in_what_forgets_ends_the_server() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let task = guarded(&tasks, &stop, async { panic!("on purpose") });
        stop.cancelled().await;
        assert!(task.await.unwrap_err().is_panic());
    }
}
