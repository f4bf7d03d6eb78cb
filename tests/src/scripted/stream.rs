//! A requester's end of a stream: asked over and over, or read as slowly as a test likes.

use std::{io, sync::Arc, time::Duration};

use protocol::{FileId, paths::peer};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Found, ScriptedPeer, tls};
use crate::wait::{PATIENCE, within};

/// Of a response's head: those that come have some hundred bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BETWEEN_PROOFS: Duration = Duration::from_millis(100);

/// Between a dial-back and its end, with what came of the next response.
pub struct RequesterStream(TlsStream<TcpStream>, Vec<u8>);

pub struct Response {
    pub status: u16,
    /// In lower case.
    head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Where a file is on a stream.
pub fn path_of(file: &FileId) -> String {
    format!("{}/{}/{}", peer::FILES, file.root, file.size)
}

impl ScriptedPeer {
    /// Meets the dial-back at `listener`, and starts TLS.
    pub async fn meet(&self, source: &Found, listener: &TcpListener) -> RequesterStream {
        within("the target dials back", PATIENCE, async {
            let (tcp, _) = listener.accept().await.expect("a dial-back");
            self.start_tls(source, tcp).await.expect("the target speaks TLS")
        })
        .await
    }

    /// Starts TLS on a connection, whoever made it.
    pub async fn start_tls(&self, source: &Found, tcp: TcpStream) -> io::Result<RequesterStream> {
        let connector = TlsConnector::from(Arc::new(tls::client(&self.identity, source.certificate_sha256)));
        let name = ServerName::try_from("peer.hearsay.invalid").expect("a name for TLS");
        Ok(RequesterStream(connector.connect(name, tcp).await?, Vec::new()))
    }
}

impl RequesterStream {
    /// Asks for a whole file, and reads nothing of it.
    pub async fn ask_for(&mut self, file: &FileId) {
        let request = format!("GET {} HTTP/1.1\r\nHost: peer\r\n\r\n", path_of(file));
        self.0.write_all(request.as_bytes()).await.expect("the target listens");
        self.0.flush().await.expect("the target listens");
    }

    /// Asks, and reads the response. `headers` are whole lines.
    pub async fn get(&mut self, path: &str, headers: &str) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nHost: peer\r\n{headers}\r\n");
        within("the target answers", PATIENCE, async {
            self.0.write_all(request.as_bytes()).await.expect("the target listens");
            self.0.flush().await.expect("the target listens");
            self.response().await
        })
        .await
    }

    /// Asks for the proof again and again, and for nothing else, until the target has enough of it.
    pub async fn ask_for_nothing_but_the_proof(&mut self) {
        let request = format!("GET {} HTTP/1.1\r\nHost: peer\r\n\r\n", peer::INTRODUCTION);
        let mut ticks = tokio::time::interval(BETWEEN_PROOFS);
        loop {
            ticks.tick().await;
            let is_asked = async {
                self.0.write_all(request.as_bytes()).await?;
                self.0.flush().await
            };
            if is_asked.await.is_err() || self.read(HEAD_BYTES_MAX).await == 0 {
                return;
            }
        }
    }

    /// Asks for a whole file, or for a folder's listing.
    pub async fn get_file(&mut self, file: &FileId) -> Response {
        self.get(&path_of(file), "").await
    }

    async fn response(&mut self) -> Response {
        while !self.1.windows(4).any(|end| end == b"\r\n\r\n") {
            self.read_more().await;
            assert!(self.1.len() <= HEAD_BYTES_MAX || self.1.starts_with(b"HTTP/1.1 "), "a head");
        }
        let end = self.1.windows(4).position(|end| end == b"\r\n\r\n").expect("found above") + 4;
        let head = String::from_utf8(self.1.drain(..end).collect()).expect("a head in ASCII");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut response = Response { status, head: head.to_ascii_lowercase(), body: Vec::new() };
        // 304 has neither.
        let length = response.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        while self.1.len() < length {
            self.read_more().await;
        }
        response.body = self.1.drain(..length).collect();
        response
    }

    async fn read_more(&mut self) {
        let mut bytes = vec![0; 64 * 1024];
        let read = self.0.read(&mut bytes).await.expect("a response");
        assert!(read > 0, "the target closed the stream");
        self.1.extend_from_slice(&bytes[..read]);
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
