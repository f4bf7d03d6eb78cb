//! What the reverse proxies that tests start have in common: certificates of the test's own authority, a port, and
//! what is behind.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    process::Program,
    wait::{PATIENCE, until},
};

/// A free port can be taken by another process before the proxy binds it.
const PORT_ATTEMPTS: usize = 5;

/// Whether clients come by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP, which clients accept on loopback.
    Http,
    /// TLS with a certificate of the test's own authority.
    Https,
}

/// Where the coordinator listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// Starts a proxy on a free port. `command` writes its configuration; `in_use` is what it says when the port is
/// taken.
pub(crate) async fn start(
    name: &str,
    folder: &Path,
    in_use: &str,
    command: impl Fn(SocketAddr) -> Command,
) -> (Program, SocketAddr) {
    for _ in 0..PORT_ATTEMPTS {
        let listen = free_address().await;
        let mut program = Program::start(name, &mut command(listen), folder);
        let came_up = until(&format!("{name} listens or ends"), PATIENCE, async || {
            if program.exit_status().is_some() {
                return Some(false);
            }
            TcpStream::connect(listen).await.is_ok().then_some(true)
        })
        .await;
        if came_up {
            program.assert_running();
            return (program, listen);
        }
        let words = program.stderr();
        assert!(words.contains(in_use), "{name} does not start:\n{words}");
    }
    panic!("no free port for {name} after {PORT_ATTEMPTS} attempts");
}

pub(crate) fn url(listen: SocketAddr, scheme: Scheme) -> String {
    match scheme {
        Scheme::Http => format!("http://{listen}"),
        // The certificate is for this name; `localhost` and 127.0.0.1 are the same place.
        Scheme::Https => format!("https://localhost:{}", listen.port()),
    }
}

/// A port that was free a moment ago.
pub async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("the address of a listener")
}

pub(crate) fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::new([]).expect("parameters of an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate for self-signed whose issuer has the same name.
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
        .expect("a self-signed authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .and_then(|parameters| parameters.signed_by(&key, &authority))
        .expect("a certificate for localhost");
    for (name, pem) in [
        ("authority.pem", authority.pem()),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), pem).expect("a file for a certificate");
    }
}
