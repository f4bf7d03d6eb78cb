//! The two listening ports: dial-backs come in on one, uploads leave from the other.
//!
//! A port is bound without SO_REUSEPORT, so that a second daemon finds it busy. The upload port gets the
//! option afterwards: a dialling socket that has it too may then leave from the same port.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use futures_util::future::select_all;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

/// Connections that the system holds until they are accepted; the gate refuses more than a few anyway.
const BACKLOG: i32 = 64;
/// Tries to find a port that is free on all addresses, where port 0 and several addresses are asked for.
const FREE_PORT_TRIES: usize = 16;
/// Wait after an error of `accept`, such as too many open files, which would come again at once.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Error)]
pub enum ListenError {
    #[error("{address} is in use")]
    Busy { address: SocketAddr },
    #[error("an inherited socket does not tell its address: {0}")]
    Inherited(io::Error),
    #[error("the inherited sockets have several ports; hand over one port, on several addresses if need be")]
    SeveralPorts,
    #[error("can't listen on {address}")]
    Io {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// One port on one or more addresses.
#[derive(Debug)]
pub struct PortListener {
    /// Never empty.
    listeners: Vec<TcpListener>,
    port: u16,
}

/// Without addresses: all, IPv6 and IPv4. Port 0 picks a free one, the same on all addresses. Sockets that were
/// `inherited` stand for all of that. To be called within a runtime.
pub fn bind_download(
    inherited: Vec<std::net::TcpListener>,
    listen: &[IpAddr],
    port: u16,
) -> Result<PortListener, ListenError> {
    bind_or_take(inherited, listen, port, Leaving::No)
}

/// The same, and dials may leave from the port.
pub fn bind_upload(
    inherited: Vec<std::net::TcpListener>,
    listen: &[IpAddr],
    port: u16,
) -> Result<PortListener, ListenError> {
    bind_or_take(inherited, listen, port, Leaving::Yes)
}

fn bind_or_take(
    inherited: Vec<std::net::TcpListener>,
    listen: &[IpAddr],
    port: u16,
    leaving: Leaving,
) -> Result<PortListener, ListenError> {
    if inherited.is_empty() { bind(listen, port, leaving) } else { take(inherited, leaving) }
}

fn take(inherited: Vec<std::net::TcpListener>, leaving: Leaving) -> Result<PortListener, ListenError> {
    let mut listeners = Vec::with_capacity(inherited.len());
    let mut ports = BTreeSet::new();
    for listener in inherited {
        let address = listener.local_addr().map_err(ListenError::Inherited)?;
        ports.insert(address.port());
        let listener =
            may_leave(listener.into(), leaving).and_then(|socket| TcpListener::from_std(socket.into()));
        listeners.push(listener.map_err(|source| ListenError::Io { address, source })?);
    }
    // Others are told one port.
    match (ports.pop_first(), ports.is_empty()) {
        (Some(port), true) => Ok(PortListener { listeners, port }),
        _ => Err(ListenError::SeveralPorts),
    }
}

/// Whether dials may leave from a listening port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Yes,
    No,
}

fn bind(listen: &[IpAddr], port: u16, leaving: Leaving) -> Result<PortListener, ListenError> {
    if listen.is_empty() {
        return match bind_all(&[Ipv6Addr::UNSPECIFIED.into()], port, leaving) {
            Err(ListenError::Io { source, .. }) if is_without_ipv6(&source) => {
                bind_all(&[Ipv4Addr::UNSPECIFIED.into()], port, leaving)
            }
            other => other,
        };
    }
    let mut tries = 1;
    loop {
        match bind_all(listen, port, leaving) {
            Err(ListenError::Busy { .. }) if port == 0 && tries < FREE_PORT_TRIES => tries += 1,
            other => return other,
        }
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    let unsupported = error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    unsupported || error.kind() == io::ErrorKind::AddrNotAvailable
}

fn bind_all(listen: &[IpAddr], mut port: u16, leaving: Leaving) -> Result<PortListener, ListenError> {
    // `::` takes IPv4 along unless an IPv4 address is listed on its own.
    let only_v6 = listen.iter().any(IpAddr::is_ipv4);
    let mut listeners = Vec::with_capacity(listen.len());
    for &ip in listen {
        let address = SocketAddr::new(ip, port);
        let (listener, bound) =
            bind_one(address, only_v6, leaving).map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => ListenError::Busy { address },
                _ => ListenError::Io { address, source },
            })?;
        port = bound;
        listeners.push(listener);
    }
    Ok(PortListener { listeners, port })
}

fn bind_one(address: SocketAddr, only_v6: bool, leaving: Leaving) -> io::Result<(TcpListener, u16)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // On Unix: past connections of this port that are still winding down don't hinder a restart. (A port that
    // is listened on stays busy. On Windows the option would let another program take it.)
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(may_leave(socket, leaving)?.into())?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// A listening socket, ready for the runtime.
fn may_leave(socket: Socket, leaving: Leaving) -> io::Result<Socket> {
    #[cfg(unix)]
    if leaving == Leaving::Yes {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl PortListener {
    /// The port, which was picked by the system where 0 was asked for.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection and who made it, IPv4 addresses in their own form. Cancel safe. Waits on through
    /// errors of `accept`: they are a connection's own, or pass.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            let accepts = self.listeners.iter().map(|listener| Box::pin(listener.accept()));
            match select_all(accepts).await.0 {
                Ok((stream, from)) => {
                    // Requests and response heads are small and waited for.
                    if stream.set_nodelay(true).is_ok() {
                        return (stream, SocketAddr::new(from.ip().to_canonical(), from.port()));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_ERROR_PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpStream;

    use super::{ListenError, bind_download, bind_upload};

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn by_default_it_listens_on_ipv6_and_ipv4() {
        let listener = bind_download(Vec::new(), &[], 0).unwrap();
        let client = TcpStream::connect((LOCALHOST, listener.port())).await.unwrap();
        let (_stream, from) = listener.accept().await;
        assert_eq!(from, client.local_addr().unwrap(), "an IPv4 address has its own form");
        if let Ok(client) = TcpStream::connect((Ipv6Addr::LOCALHOST, listener.port())).await {
            assert_eq!(listener.accept().await.1, client.local_addr().unwrap());
        }
    }

    #[tokio::test]
    async fn several_addresses_share_a_port() {
        let second = IpAddr::from([127, 0, 0, 2]);
        let listener = bind_upload(Vec::new(), &[LOCALHOST, second], 0).unwrap();
        for ip in [second, LOCALHOST] {
            let client = TcpStream::connect((ip, listener.port())).await.unwrap();
            assert_eq!(listener.accept().await.1, client.local_addr().unwrap());
        }
    }

    #[tokio::test]
    async fn ipv4_and_ipv6_may_both_be_listed() {
        match bind_download(Vec::new(), &[Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()], 0) {
            Ok(listener) => assert_ne!(listener.port(), 0),
            Err(error) => assert!(matches!(error, ListenError::Io { .. }), "{error}"),
        }
    }

    #[tokio::test]
    async fn a_busy_port_is_an_error_that_names_it() {
        for listen in [&[][..], &[LOCALHOST]] {
            let first = bind_upload(Vec::new(), listen, 0).unwrap();
            for second in [
                bind_upload(Vec::new(), listen, first.port()),
                bind_download(Vec::new(), listen, first.port()),
            ] {
                let Err(ListenError::Busy { address }) = second else { panic!("{second:?}") };
                assert_eq!(address.port(), first.port());
            }
        }
    }
}
