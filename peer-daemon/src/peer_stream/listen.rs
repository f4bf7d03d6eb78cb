//! The two listening ports, and the gate before unverified connections.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use thiserror::Error;
use tokio::net::TcpStream;

#[derive(Debug, Error)]
pub enum ListenError {
    #[error("{address} is in use")]
    Busy { address: SocketAddr },
    #[error("can't listen on {address}")]
    Io {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// One port on one or more addresses.
#[derive(Debug)]
pub struct PortListener {}

/// Without addresses: all, IPv6 and IPv4. Port 0 picks a free one, the same on all addresses.
pub fn bind_download(_listen: &[IpAddr], _port: u16) -> Result<PortListener, ListenError> {
    todo!()
}

/// The same, and dials may leave from the port.
pub fn bind_upload(_listen: &[IpAddr], _port: u16) -> Result<PortListener, ListenError> {
    todo!()
}

impl PortListener {
    pub fn port(&self) -> u16 {
        todo!()
    }
    /// Cancel safe.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        todo!()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GateRefused {
    #[error("no introduction is pending")]
    NothingPending,
    #[error("too many connections are being verified")]
    Full,
    #[error("too many connections of this address are being verified")]
    FullForAddress,
}

/// Limits connections on the download port that have not yet shown a message-key. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ConnectionGate {}

/// A place at the gate; given back when dropped (verified, or closed).
#[derive(Debug)]
pub struct GatePermit {}

impl ConnectionGate {
    /// `pending`: whether any introduction waits for a dial-back. A refused connection is closed without a byte.
    pub fn admit(&self, _from: IpAddr, _pending: bool) -> Result<GatePermit, GateRefused> {
        todo!()
    }
}
