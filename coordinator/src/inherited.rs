//! Listening sockets that a service manager has opened and hands over (systemd's socket activation): then peers that
//! connect while the coordinator is away wait for it, and it needs no right to open them.

use std::{env, io, net::TcpListener, os::unix::net::UnixListener, path::Path};

use listenfd::ListenFd;
use thiserror::Error;

use crate::config::Listen;

/// The name, by `FileDescriptorName=` in the socket unit, of the one for health and metrics. All others are for peers.
const OPS: &str = "ops";
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";

#[derive(Debug, Error)]
pub enum InheritedError {
    #[error(
        "the inherited socket number {number} can't be used ({source}): hand over stream sockets that listen"
    )]
    Unusable { number: usize, source: io::Error },
    #[error("more than one inherited socket is named {OPS}: name the others otherwise")]
    TwoForOps,
}

#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Where it listens; a socket without a path is told as one with an empty path.
    pub(crate) fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(Listen::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned()))
            }
        }
    }
}

/// None of a kind where the coordinator is to open its own.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(crate) main: Vec<Listener>,
    pub(crate) ops: Option<TcpListener>,
}

impl Inherited {
    /// Takes what was handed over; a second call finds nothing. To be called before there are other threads.
    pub fn take() -> Result<Self, InheritedError> {
        let names = env::var(NAMES_VARIABLE).unwrap_or_default();
        let mut sockets = ListenFd::from_env();
        let mut inherited = Self::default();
        for number in 0..sockets.len() {
            let unusable = |source| InheritedError::Unusable { number, source };
            if names.split(':').nth(number) == Some(OPS) {
                let listener = sockets.take_tcp_listener(number).map_err(unusable)?;
                if inherited.ops.is_some() {
                    return Err(InheritedError::TwoForOps);
                }
                inherited.ops = listener;
            } else {
                inherited.main.extend(take(&mut sockets, number).map_err(unusable)?);
            }
        }
        Ok(inherited)
    }
}

fn take(sockets: &mut ListenFd, number: usize) -> io::Result<Option<Listener>> {
    match sockets.take_tcp_listener(number) {
        Ok(listener) => Ok(listener.map(Listener::Tcp)),
        Err(_) => Ok(sockets.take_unix_listener(number)?.map(Listener::Unix)),
    }
}
