//! One TCP connection to another peer: from the upload port where the system allows.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::dial_rules::{DialRefused, DialRules};

#[derive(Debug, Error)]
pub enum DialError {
    #[error(transparent)]
    NotAllowed(#[from] DialRefused),
    /// Something is there and does not listen on that port.
    #[error("the address refused the connection")]
    Refused,
    #[error("the address did not answer in time")]
    TimedOut,
    #[error("the address can't be reached")]
    Unreachable(#[source] io::Error),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Unreachable(error),
        }
    }
}

/// Dials once, under the rules. From `source_port` (the upload port), so that a router that lets the upload
/// port out knows it; from any other where the system does not allow that. `connect_limit` bounds it all
/// ([`protocol::limits::DIAL_CONNECT`]).
pub async fn dial(
    to: SocketAddr,
    source_port: Option<u16>,
    rules: &DialRules,
    connect_limit: Duration,
) -> Result<TcpStream, DialError> {
    rules.permits(to)?;
    let stream =
        timeout(connect_limit, connect(to, source_port)).await.map_err(|_| DialError::TimedOut)??;
    // Requests and response heads are small and waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect(to: SocketAddr, source_port: Option<u16>) -> io::Result<TcpStream> {
    if let Some(port) = source_port {
        match connect_from(to, port).await {
            // The port is not free as a source, or this very connection (both ends alike) is still winding
            // down: nothing was sent, another port will do.
            Err(error) if is_source_taken(&error) => {}
            other => return other,
        }
    }
    TcpStream::connect(to).await
}

fn is_source_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}

/// The listener on this port allows it: see [`bind_upload`](super::listen::bind_upload).
async fn connect_from(to: SocketAddr, port: u16) -> io::Result<TcpStream> {
    let (socket, source) = match to {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        SocketAddr::V6(_) => (TcpSocket::new_v6()?, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
    };
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(source)?;
    socket.connect(to).await
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use tokio::net::TcpListener;

    use super::{DialError, dial};
    use crate::peer_stream::{
        dial_rules::{DialRefused, DialRules, Scope},
        listen::{bind_download, bind_upload},
    };

    const LIMIT: Duration = Duration::from_secs(5);

    fn rules(coordinator_scope: Scope) -> DialRules {
        DialRules { coordinator_scope, allow: Vec::new() }
    }

    #[tokio::test]
    async fn a_dial_leaves_from_the_upload_port_again_and_again() {
        let upload = bind_upload(Vec::new(), &[], 0).unwrap();
        for listen in [Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()] {
            let Ok(download) = bind_download(Vec::new(), &[listen], 0) else {
                continue; // a machine without IPv6
            };
            let to = (listen, download.port()).into();
            let first = dial(to, Some(upload.port()), &rules(Scope::Loopback), LIMIT).await.unwrap();
            let (_, from) = download.accept().await;
            assert_eq!(from.port(), upload.port());
            drop(first);
            // The same two ends again: from another port if need be, but it gets there.
            let _second = dial(to, Some(upload.port()), &rules(Scope::Loopback), LIMIT).await.unwrap();
            download.accept().await;
        }
    }

    #[tokio::test]
    async fn a_source_port_that_is_taken_is_no_hindrance() {
        let other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
        let taken = other.local_addr().unwrap().port();
        let download = bind_download(Vec::new(), &[Ipv4Addr::LOCALHOST.into()], 0).unwrap();
        let to = (Ipv4Addr::LOCALHOST, download.port()).into();
        let stream = dial(to, Some(taken), &rules(Scope::Loopback), LIMIT).await.unwrap();
        assert_ne!(stream.local_addr().unwrap().port(), taken);
    }

    #[tokio::test]
    async fn causes_are_told_apart() {
        let to = {
            let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            gone.local_addr().unwrap()
        };
        let refused = dial(to, None, &rules(Scope::Loopback), LIMIT).await;
        assert!(matches!(refused, Err(DialError::Refused)), "{refused:?}");
        let narrower = dial(to, None, &rules(Scope::Global), LIMIT).await;
        assert!(matches!(narrower, Err(DialError::NotAllowed(DialRefused::Narrower))), "{narrower:?}");
        let no_time = dial(to, None, &rules(Scope::Loopback), Duration::ZERO).await;
        assert!(matches!(no_time, Err(DialError::TimedOut | DialError::Refused)), "{no_time:?}");
    }
}
