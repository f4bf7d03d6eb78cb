//! Why a dial can't make this peer speak to a bystander: nothing is written until the other side has spoken,
//! and then only if it spoke as a requester does.
//!
//! The TLS library would answer foreign bytes with an alert. So the bytes are read here first, up to a whole
//! ClientHello that offers our protocol, and only then replayed to it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use protocol::paths::ALPN;
use rustls::server::Acceptor;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// Largest TLS record (RFC 8446, section 5.1) with its header: a ClientHello of ours is about 2 KiB.
const CLIENT_HELLO_BYTES_MAX: usize = 5 + (1 << 14);

#[derive(Debug, Error)]
pub(super) enum FirstBytesError {
    #[error("what came first is no ClientHello for this protocol")]
    Foreign,
    #[error("the connection was closed before anything came")]
    Closed,
    #[error("the connection broke off")]
    Lost(#[from] io::Error),
}

/// Whether bytes can be the start of a TLS handshake record that begins with a ClientHello (RFC 8446, sections
/// 4 and 5.1): type 22, version 3.1 or 3.3, a length within bounds, handshake type 1.
fn may_be_client_hello(bytes: &[u8]) -> bool {
    let expected: [fn(u8) -> bool; 6] =
        [|b| b == 22, |b| b == 3, |b| b == 1 || b == 3, |b| b <= 0x40, |_| true, |b| b == 1];
    bytes.iter().zip(expected).all(|(&byte, is_expected)| is_expected(byte))
}

/// Reads a whole ClientHello and nothing else; never writes. The caller limits the time.
pub(super) async fn read_client_hello<IO>(mut io: IO) -> Result<Replay<IO>, FirstBytesError>
where
    IO: AsyncRead + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut bytes = vec![0; CLIENT_HELLO_BYTES_MAX];
    let mut filled = 0;
    loop {
        match io.read(&mut bytes[filled..]).await? {
            0 if filled == 0 => return Err(FirstBytesError::Closed),
            // Closed halfway, or more bytes than a ClientHello may have.
            0 => return Err(FirstBytesError::Foreign),
            count => {
                let mut fresh = &bytes[filled..filled + count];
                filled += count;
                // A banner need not be long enough for the parser to refuse it.
                if !may_be_client_hello(&bytes[..filled]) {
                    return Err(FirstBytesError::Foreign);
                }
                if offers_our_protocol(&mut acceptor, &mut fresh)? {
                    bytes.truncate(filled);
                    return Ok(Replay { bytes, replayed: 0, io });
                }
            }
        }
    }
}

/// Feeds the parser; tells whether the ClientHello is whole. Its alerts are dropped: they would be bytes.
fn offers_our_protocol(acceptor: &mut Acceptor, fresh: &mut &[u8]) -> Result<bool, FirstBytesError> {
    while !fresh.is_empty() {
        acceptor.read_tls(fresh).map_err(|_| FirstBytesError::Foreign)?;
        if let Some(accepted) = acceptor.accept().map_err(|_| FirstBytesError::Foreign)? {
            let mut offered = accepted.client_hello().alpn().into_iter().flatten();
            return if offered.any(|name| name == ALPN) { Ok(true) } else { Err(FirstBytesError::Foreign) };
        }
    }
    Ok(false)
}

/// A byte stream whose first bytes were read before, and are read again.
#[derive(Debug)]
pub struct Replay<IO> {
    bytes: Vec<u8>,
    replayed: usize,
    io: IO,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Replay<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.replayed < this.bytes.len() {
            let rest = &this.bytes[this.replayed..];
            let count = rest.len().min(buf.remaining());
            buf.put_slice(&rest[..count]);
            this.replayed += count;
            if this.replayed == this.bytes.len() {
                // The stream may live long; its first bytes need not.
                this.bytes = Vec::new();
                this.replayed = 0;
            }
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Replay<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use proptest::prelude::*;
    use protocol::paths::ALPN;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs, version::TLS13};
    use tokio::io::AsyncReadExt as _;

    use super::{FirstBytesError, may_be_client_hello, read_client_hello};

    #[test]
    fn only_a_handshake_record_with_a_client_hello_begins_like_one() {
        for (bytes, expected) in [
            (&[][..], true),
            (&[22], true),
            (&[22, 3, 1, 2, 0, 1], true),
            (&[22, 3, 3, 0x40, 0, 1, 0xff], true),
            (b"HTTP/1.1 400", false),
            (b"S", false),
            (&[21, 3, 3, 0, 2, 2, 40], false),
            (&[22, 3, 2, 0, 0], false),
            (&[22, 3, 1, 0x41, 0], false),
            (&[22, 3, 3, 0, 90, 2], false),
        ] {
            assert_eq!(may_be_client_hello(bytes), expected, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_closed_connection_is_told_from_foreign_bytes() {
        assert!(matches!(read_client_hello(&b""[..]).await, Err(FirstBytesError::Closed)));
        for foreign in [&b"220 mail.example ESMTP\r\n"[..], &[22, 3, 1], &[22, 3, 1, 0, 4, 1, 0, 0, 0]] {
            let read = read_client_hello(foreign).await;
            assert!(matches!(read, Err(FirstBytesError::Foreign)), "{foreign:?}");
        }
    }

    /// As a requester sends it.
    fn client_hello(protocol: &[u8]) -> Vec<u8> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let mut bytes = Vec::new();
        let to = Ipv4Addr::UNSPECIFIED.into();
        ClientConnection::new(Arc::new(config), to).unwrap().write_tls(&mut bytes).unwrap();
        bytes
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_client_hello_for_another_protocol_is_foreign() {
        assert!(run(read_client_hello(&client_hello(ALPN)[..])).is_ok());
        for other in [&b"h2"[..], b"hearsay/2", b"hearsay/11"] {
            let hello = client_hello(other);
            let read = run(read_client_hello(&hello[..]));
            assert!(matches!(read, Err(FirstBytesError::Foreign)), "{other:?}");
        }
    }

    proptest! {
        /// In two parts, with bytes of it changed, cut off at its end or followed by others.
        #[test]
        fn what_passes_is_replayed_as_it_came_and_nothing_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            parts: prop::sample::Index,
            cut in 0..4_usize,
            more in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut bytes = client_hello(ALPN);
            for (at, byte) in &changes {
                *at.get_mut(&mut bytes) = *byte;
            }
            bytes.truncate(bytes.len() - cut);
            bytes.extend(more);
            let (first, rest) = bytes.split_at(parts.index(bytes.len()));
            let passed = run(async {
                let mut replay = read_client_hello(first.chain(rest)).await.ok()?;
                let mut replayed = Vec::new();
                replay.read_to_end(&mut replayed).await.ok()?;
                Some(replayed)
            });
            prop_assert!(passed.as_ref().is_none_or(|passed| *passed == bytes));
            prop_assert!(passed.is_some() || cut > 0 || !changes.is_empty());
        }

        #[test]
        fn no_foreign_bytes_pass(mut bytes in prop::collection::vec(any::<u8>(), 0..400), like_tls: bool) {
            if like_tls && bytes.len() >= 6 {
                bytes[..6].copy_from_slice(&[22, 3, 1, 0, 200, 1]);
            }
            prop_assert!(run(read_client_hello(&bytes[..])).is_err());
        }
    }
}
