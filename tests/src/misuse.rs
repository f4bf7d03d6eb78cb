//! Clients that open connections and don't use them as they should.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Between two bytes of one who sends slowly: soon enough for any time limit on silence, and for none on the whole.
const DRIP: Duration = Duration::from_millis(100);
/// Whoever was sent away comes again after this, and so often: without end for any test.
const PAUSE: Duration = Duration::from_millis(250);
const RETURNS: usize = 10_000;

/// What a client does with a connection.
#[derive(Debug, Clone)]
pub struct Misuse {
    /// Sent at once. While all of it is not taken, no answer is read.
    pub begin: Vec<u8>,
    /// Sent byte by byte and over again; where there is none, the client is silent and reads.
    pub drip: &'static [u8],
}

impl Misuse {
    pub fn new(begin: impl Into<Vec<u8>>, drip: &'static [u8]) -> Self {
        Self { begin: begin.into(), drip }
    }

    /// Does it until the other side ends it.
    pub async fn of(self, address: SocketAddr) {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        if stream.write_all(&self.begin).await.is_err() {
            return;
        }
        for byte in self.drip.iter().cycle() {
            tokio::time::sleep(DRIP).await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    /// Does it, and comes again whenever it was ended.
    pub async fn again_and_again(self, address: SocketAddr) {
        for _ in 0..RETURNS {
            self.clone().of(address).await;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
