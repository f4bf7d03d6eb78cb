//! The web page: HTTP on loopback, for a browser of whoever runs the daemon.
//!
//! A browser brings other people's pages along, and loopback is open to every user of the machine. So the door
//! is narrower than the control socket's: [`guard`] refuses what was not sent by our own page, [`login`] gives
//! sessions only to whoever can use the socket, [`crowd`] and [`connection`] keep room for those, and the page can do
//! less. What it can do is the control API itself: the API's table says how much of it.

mod assets;
mod connection;
mod crowd;
mod door;
mod guard;
mod login;
mod routes;
mod server;
mod session;
mod site;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::web::Data;
use thiserror::Error;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

pub(crate) use self::door::Door;
use self::site::Site;
use crate::{config::values::GuiListen, control::Controls};

#[derive(Debug, Error)]
pub enum GuiError {
    #[error(
        "web page: {address}: {source}; free it, name another with --gui (port 0 picks one), or use --gui off"
    )]
    Bind { address: SocketAddr, source: io::Error },
}

/// The page's server, bound and not yet serving.
#[derive(Debug)]
pub(crate) struct Gui {
    listener: TcpListener,
    door: Arc<Door>,
}

impl Gui {
    /// Binds. An address that nobody asked for is done without when it is not to be had.
    pub(crate) fn bind(listen: GuiListen) -> Result<Option<Self>, GuiError> {
        let address = listen.address;
        let error = |source| GuiError::Bind { address, source };
        match TcpListener::bind(listen.address) {
            Ok(listener) => {
                let address = listener.local_addr().map_err(error)?;
                Ok(Some(Self { listener, door: Arc::new(Door::new(Site::new(address, listen.hosts))) }))
            }
            Err(source) if listen.is_chosen => Err(error(source)),
            Err(source) => {
                warn!("there is no web page now: {}", error(source));
                Ok(None)
            }
        }
    }

    pub(crate) fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// Serves until the token is cancelled.
    pub(crate) fn start(
        self,
        controls: Controls,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Result<(), GuiError> {
        let address = self.door.address();
        let server = server::serve(self.listener, Data::from(self.door), Data::new(controls), token)
            .map_err(|source| GuiError::Bind { address, source })?;
        tracker.spawn(async move {
            if let Err(error) = server.await {
                warn!(%error, "the web page's server ended");
            }
        });
        info!(%address, "the web page is on; `peerctl gui` lets you in");
        Ok(())
    }
}
