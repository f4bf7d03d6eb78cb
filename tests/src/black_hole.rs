//! A port from which no answer comes: the way it looks behind a firewall that drops, not refuses.

use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

/// How long a connection to a listener with room takes at most, on loopback.
const HANDSHAKE: Duration = Duration::from_millis(500);
/// More than fit into the shortest backlog.
const CONNECTIONS_MAX: usize = 8;

/// A listener that accepts nobody, with a full backlog: the system drops whatever else is sent to it.
pub struct BlackHole {
    port: u16,
    _listener: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    pub async fn open() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("the address of a listener");
        let mut waiting = Vec::new();
        while let Ok(connected) = tokio::time::timeout(HANDSHAKE, TcpStream::connect(address)).await {
            waiting.push(connected.expect("room in the backlog, or no answer"));
            assert!(waiting.len() < CONNECTIONS_MAX, "the backlog does not fill");
        }
        Self { port: address.port(), _listener: listener, _waiting: waiting }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}
