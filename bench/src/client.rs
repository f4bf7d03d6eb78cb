//! HTTP/1.1 as far as a simulated peer needs it: one call after the other over one connection, bodies of a known
//! length. Written by hand, so that thousands of peers cost this process little of what the server needs.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::traffic;

/// An answer's head and body, with much room: batches have 128 KiB at most.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES: usize = 4 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: String,
    /// No other call can be made over this connection.
    pub(crate) is_last: bool,
}

pub(crate) struct Connection {
    stream: TcpStream,
    is_counted: bool,
}

impl Connection {
    /// Opens a connection from an address of the loopback network.
    pub(crate) async fn open(from: Ipv4Addr, to: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, is_counted: false })
    }

    /// What passes over it counts as traffic of a peer.
    pub(crate) fn counted(mut self) -> Self {
        self.is_counted = true;
        self
    }

    /// Makes a call. Dropping this loses the connection's place: open another one.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: Option<&str>,
    ) -> io::Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}");
        if let Some(body) = body {
            request.push_str("Content-Type: application/json\r\nContent-Length: ");
            request.push_str(&body.len().to_string());
            request.push_str("\r\n\r\n");
            request.push_str(body);
        } else {
            request.push_str("\r\n");
        }
        self.stream.write_all(request.as_bytes()).await?;
        self.passed(request.len());
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        loop {
            // Room comes only once there is something to read: a parked peer holds none.
            self.stream.readable().await?;
            bytes.reserve(CHUNK_BYTES);
            match self.stream.try_read_buf(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if let Some(head_end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                let head = Head::parse(&String::from_utf8_lossy(&bytes[..head_end]))?;
                let end = head_end + 4 + head.body_bytes;
                if end > ANSWER_BYTES_MAX {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                if bytes.len() < end {
                    let have = bytes.len();
                    bytes.resize(end, 0);
                    self.stream.read_exact(&mut bytes[have..]).await?;
                }
                let body = String::from_utf8_lossy(&bytes[head_end + 4..end]).into_owned();
                let Head { status, retry_after, is_last, .. } = head;
                self.passed(end);
                return Ok(Answer { status, retry_after, body, is_last });
            }
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }

    fn passed(&self, bytes: usize) {
        if self.is_counted {
            traffic::passed(bytes);
        }
    }
}

#[derive(Default)]
struct Head {
    status: u16,
    body_bytes: usize,
    retry_after: Option<u64>,
    is_last: bool,
}

impl Head {
    fn parse(text: &str) -> io::Result<Self> {
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let mut head = Self { status: status.ok_or(io::ErrorKind::InvalidData)?, ..Self::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    head.body_bytes = value.parse().map_err(|_| io::ErrorKind::InvalidData)?;
                }
                "retry-after" => head.retry_after = value.parse().ok(),
                "connection" => head.is_last = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_head_is_read_whatever_the_letters() {
        let text = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nConnection: Close\r\nRETRY-AFTER: 7";
        let head = Head::parse(text).unwrap();
        assert_eq!((head.status, head.body_bytes, head.retry_after, head.is_last), (204, 0, Some(7), true));
        assert!(Head::parse("").is_err());
    }
}
