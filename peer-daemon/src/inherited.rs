//! Listening sockets that a service manager has opened and hands over (systemd's socket activation). Each is known by
//! its name (`FileDescriptorName=` in the socket unit).

use std::{env, io, net::TcpListener, os::unix::net::UnixListener};

use listenfd::ListenFd;
use thiserror::Error;

const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";

#[derive(Debug, Error)]
pub enum InheritedError {
    #[error("the inherited socket {name:?} can't be used ({source}): hand over stream sockets that listen")]
    Unusable { name: String, source: io::Error },
    #[error("what the inherited socket {0:?} is for is unknown: name it control, download or upload")]
    Unknown(String),
}

/// Nothing of a kind where the daemon is to open its own.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(crate) control: Option<UnixListener>,
    pub(crate) download: Vec<TcpListener>,
    pub(crate) upload: Vec<TcpListener>,
}

impl Inherited {
    /// Takes what was handed over; a second call finds nothing. To be called before there are other threads.
    pub fn take() -> Result<Self, InheritedError> {
        let names = env::var(NAMES_VARIABLE).unwrap_or_default();
        let mut sockets = ListenFd::from_env();
        let mut inherited = Self::default();
        for number in 0..sockets.len() {
            let name = names.split(':').nth(number).unwrap_or_default();
            let unusable = |source| InheritedError::Unusable { name: name.to_owned(), source };
            let ports = match name {
                "control" => {
                    inherited.control = sockets.take_unix_listener(number).map_err(unusable)?;
                    continue;
                }
                "download" => &mut inherited.download,
                "upload" => &mut inherited.upload,
                _ => return Err(InheritedError::Unknown(name.to_owned())),
            };
            ports.extend(sockets.take_tcp_listener(number).map_err(unusable)?);
        }
        Ok(inherited)
    }
}
