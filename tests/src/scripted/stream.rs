//! A requester's end of a stream, read as slowly as a test likes.

use std::sync::Arc;

use protocol::{FileId, paths::peer};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Found, ScriptedPeer, tls};
use crate::wait::{PATIENCE, within};

/// Between a dial-back and its end.
pub struct RequesterStream(TlsStream<TcpStream>);

impl ScriptedPeer {
    /// Meets the dial-back at `listener`, and starts TLS.
    pub async fn meet(&self, source: &Found, listener: &TcpListener) -> RequesterStream {
        let connector = TlsConnector::from(Arc::new(tls::client(&self.identity, source.certificate_sha256)));
        within("the target dials back", PATIENCE, async {
            let (tcp, _) = listener.accept().await.expect("a dial-back");
            let name = ServerName::try_from("peer.hearsay.invalid").expect("a name for TLS");
            RequesterStream(connector.connect(name, tcp).await.expect("the target speaks TLS"))
        })
        .await
    }
}

impl RequesterStream {
    /// Asks for a whole file, and reads nothing of it.
    pub async fn ask_for(&mut self, file: &FileId) {
        let request =
            format!("GET {}/{}/{} HTTP/1.1\r\nHost: peer\r\n\r\n", peer::FILES, file.root, file.size);
        self.0.write_all(request.as_bytes()).await.expect("the target listens");
        self.0.flush().await.expect("the target listens");
    }

    /// Reads some bytes; none once the target has closed the stream.
    pub async fn read(&mut self, bytes_max: usize) -> usize {
        let mut bytes = vec![0; bytes_max];
        // A target that ends a stream in the middle of a response sends no goodbye.
        self.0.read(&mut bytes).await.unwrap_or(0)
    }

    /// Reads until the target closes the stream.
    pub async fn read_to_end(&mut self) {
        while self.read(64 * 1024).await > 0 {}
    }
}
