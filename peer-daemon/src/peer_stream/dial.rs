//! One TCP connection to another peer.

use std::{net::SocketAddr, time::Duration};

use thiserror::Error;
use tokio::net::TcpStream;

use super::dial_rules::{DialRefused, DialRules};

#[derive(Debug, Error)]
pub enum DialError {
    #[error(transparent)]
    NotAllowed(#[from] DialRefused),
    #[error("the address refused the connection")]
    Refused,
    #[error("the address did not answer in time")]
    TimedOut,
    #[error("the address can't be reached")]
    Unreachable(#[source] std::io::Error),
}

/// Dials from `source_port` (the upload port) where the system allows, else from any.
pub async fn dial(
    _to: SocketAddr,
    _source_port: Option<u16>,
    _rules: &DialRules,
    _connect_limit: Duration,
) -> Result<TcpStream, DialError> {
    todo!()
}
