//! `coordinator healthcheck`: asks a running coordinator's ops listener, as a container's health check does.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use protocol::paths::coordinator::READYZ;
use serde::Deserialize;
use thiserror::Error;

use crate::config::Config;

/// A coordinator that takes longer to say that it is well is not.
const PATIENCE: Duration = Duration::from_secs(3);
/// The status line is within so many bytes.
const ANSWER_BYTES_MAX: usize = 64;

#[derive(Debug, Error)]
pub enum Unhealthy {
    #[error("there is no ops listener to ask: set one with --ops-listen, for this command too")]
    NoListener,
    #[error("{address} does not answer: {source}")]
    Unreachable { address: SocketAddr, source: io::Error },
    #[error("the coordinator at {0} takes no calls just now")]
    NotReady(SocketAddr),
}

#[derive(Deserialize)]
struct Ready {
    ops_listen: Option<SocketAddr>,
}

/// Whether the coordinator with this configuration takes calls.
pub fn check(config: &Config) -> Result<(), Unhealthy> {
    let address = ops_address(config).ok_or(Unhealthy::NoListener)?;
    let answer = ask(address).map_err(|source| Unhealthy::Unreachable { address, source })?;
    if answer.split(' ').nth(1) == Some("200") { Ok(()) } else { Err(Unhealthy::NotReady(address)) }
}

/// Where port 0 was asked for, the ready file has the real one.
fn ops_address(config: &Config) -> Option<SocketAddr> {
    let configured = config.ops_listen?;
    let address = if configured.port() == 0 {
        let ready: Ready = serde_json::from_slice(&fs::read(config.ready_file.as_ref()?).ok()?).ok()?;
        ready.ops_listen?
    } else {
        configured
    };
    let host = match address.ip() {
        // It listens everywhere, so it does here.
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Some(SocketAddr::new(host, address.port()))
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {READYZ} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
