//! Pitfall 1: a dial that reaches a bystander. Whatever listens there, it gets not one byte.

use std::{net::Ipv4Addr, time::Duration};

use peer_daemon::peer_stream::{
    client::{Requester, StreamError},
    limits::StreamLimits,
    progress::Phase,
    server::ServeError,
    tls::TlsError,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::harness::{Peers, SHORT, ended};

/// A TLS 1.2 and 1.3 ClientHello without ALPN, as a web client or a scanner would send.
fn foreign_client_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]); // no session, one cipher suite, no compression
    let extensions: &[u8] = &[0, 0x0d, 0, 4, 0, 2, 4, 3, 0, 0x0a, 0, 4, 0, 2, 0, 0x17];
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

const IMPATIENT: StreamLimits = StreamLimits { handshake: Duration::from_millis(300), ..SHORT };

/// The target dials a listener that sends `banner`; what the target wrote to it, and how it ended.
async fn dial_bystander(banner: &[u8], then_closes: bool) -> (Vec<u8>, ServeError) {
    let bystander = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    // Only silence has to be waited out.
    let peers = if then_closes { Peers::new() } else { Peers::with_limits(IMPATIENT) };
    let serving = peers.serve(TcpStream::connect(bystander.local_addr().unwrap()).await.unwrap());
    let (mut stream, _) = bystander.accept().await.unwrap();
    stream.write_all(banner).await.unwrap();
    if then_closes {
        stream.shutdown().await.unwrap();
    }
    let mut written = Vec::new();
    // A reset, where the target closes with the banner unread, ends it just as well.
    let _ = stream.read_to_end(&mut written).await;
    let error = ended(serving).await.unwrap_err();
    assert_eq!(peers.progress.phase(), Phase::Connected);
    (written, error)
}

#[tokio::test]
async fn a_bystander_gets_not_one_byte() {
    let hello = foreign_client_hello();
    let banners: &[&[u8]] = &[
        b"",
        b"2",
        b"220 mail.example ESMTP\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        &[0],
        &[21, 3, 3, 0, 2, 2, 40],
        &[22, 3, 3, 0, 4, 14, 0, 0, 0],
        &[22],
        &[22, 3, 1, 0, 200, 1],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &hello,
        &hello[..hello.len() - 1],
    ];
    for banner in banners {
        for then_closes in [false, true] {
            let (written, error) = dial_bystander(banner, then_closes).await;
            assert!(written.is_empty(), "{banner:?} was answered with {written:?}");
            let is_named = match error {
                ServeError::Tls(TlsError::Closed) => banner.is_empty() && then_closes,
                ServeError::Tls(TlsError::Silent) => !then_closes,
                ServeError::Tls(TlsError::NotARequester) => !banner.is_empty(),
                _ => false,
            };
            assert!(is_named, "{banner:?}: {error:?}");
        }
    }
}

/// The test above can fail: a requester's first bytes are answered.
#[tokio::test]
async fn a_requester_is_answered() {
    let peers = Peers::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let _serving = peers.serve(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    let mut requester =
        Requester::establish(StreamLimits::default(), stream, &peers.requester, None).await.unwrap();
    assert_eq!(requester.proof().await.unwrap().message_key, peers.offer.message_key);
}

/// The other way round: whoever comes in on the download port and is no target.
#[tokio::test]
async fn a_stranger_on_the_download_port_is_named_in_time() {
    for (bytes, is_expected) in [
        (
            &b""[..],
            (|error| matches!(error, StreamError::Handshake(TlsError::Silent))) as fn(&StreamError) -> bool,
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", |error| matches!(error, StreamError::Handshake(_))),
        (&[22, 3, 3, 0, 4], |error| matches!(error, StreamError::Handshake(TlsError::Silent))),
    ] {
        let (near, mut far) = tokio::io::duplex(4096);
        let peers = Peers::new();
        far.write_all(bytes).await.unwrap();
        let error = Requester::establish(IMPATIENT, near, &peers.requester, None).await.unwrap_err();
        assert!(is_expected(&error), "{bytes:?}: {error:?}");
    }
}
