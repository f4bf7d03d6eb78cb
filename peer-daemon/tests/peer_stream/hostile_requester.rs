//! A requester with the right certificate that does not keep to the protocol.

use std::{sync::Arc, time::Duration};

use peer_daemon::peer_stream::{
    progress::ServeProgress,
    server::{Ended, ServeError, Served},
    tls::{RequesterTls, start_as_requester},
};
use protocol::{Code, FileId, Problem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::harness::{PATIENCE, Peers, SHORT, Serving, content, ended};

async fn raw(peers: &Peers) -> (RequesterTls<DuplexStream>, Serving) {
    raw_for(peers, &Arc::default()).await
}

async fn raw_for(peers: &Peers, progress: &Arc<ServeProgress>) -> (RequesterTls<DuplexStream>, Serving) {
    let (near, far) = duplex(64 * 1024);
    let serving = peers.serve_for(progress, far);
    let (tls, _) = start_as_requester(near, &peers.requester, None, PATIENCE).await.unwrap();
    (tls, serving)
}

/// Sends bytes on a fresh stream and reads until the target closes it.
async fn exchange(peers: &Peers, request: &[u8]) -> (String, Served) {
    let (mut tls, serving) = raw(peers).await;
    // A target that refuses early does not read on.
    let _ = tls.write_all(request).await;
    let mut response = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, tls.read_to_end(&mut response)).await.expect("not closed");
    (String::from_utf8_lossy(&response).into_owned(), ended(serving).await.unwrap())
}

fn path(file: &FileId) -> String {
    format!("/v1/files/{}/{}", file.root, file.size)
}

fn request(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

/// Status line, head in lower case, body.
fn parts(response: &str) -> (&str, String, &str) {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let (status, head) = head.split_once("\r\n").unwrap();
    (status, head.to_ascii_lowercase(), body)
}

#[tokio::test]
async fn file_requests_are_answered_as_rfc_9110_says() {
    let content: Vec<u8> = (b'a'..=b'z').collect();
    let (peers, file) = Peers::offering(&content);
    let (path, tag) = (path(&file), format!("\"{}\"", file.root));
    let whole = std::str::from_utf8(&content).unwrap();
    let table: &[(&str, String, &str, &str, &str)] = &[
        ("GET", String::new(), "200 OK", "content-length: 26", whole),
        ("HEAD", String::new(), "200 OK", "content-length: 26", ""),
        ("GET", "Range: bytes=0-1\r\n".into(), "206 Partial Content", "content-range: bytes 0-1/26", "ab"),
        ("GET", "Range: bytes=-2\r\n".into(), "206 Partial Content", "content-range: bytes 24-25/26", "yz"),
        ("GET", "Range: bytes=20-99\r\n".into(), "206 Partial Content", "content-length: 6", "uvwxyz"),
        ("HEAD", "Range: bytes=0-1\r\n".into(), "200 OK", "content-length: 26", ""),
        ("GET", format!("Range: bytes=0-1\r\nIf-Range: {tag}\r\n"), "206 Partial Content", "etag", "ab"),
        ("GET", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n".into(), "200 OK", "content-length: 26", whole),
        ("GET", "Range: bytes=26-\r\n".into(), "416 Range Not Satisfiable", "content-range: bytes */26", ""),
        ("GET", "Range: bytes=0-1,3-4\r\n".into(), "200 OK", "accept-ranges: bytes", whole),
        ("GET", format!("If-None-Match: {tag}\r\n"), "304 Not Modified", "etag", ""),
        ("GET", "If-Match: \"x\"\r\n".into(), "412 Precondition Failed", "etag", ""),
        ("HEAD", "If-Match: \"x\"\r\n".into(), "412 Precondition Failed", "etag", ""),
    ];
    for (method, headers, status, in_head, body) in table {
        let (response, served) = exchange(&peers, &request(&format!("{method} {path}"), headers)).await;
        let (got_status, head, got_body) = parts(&response);
        assert_eq!(got_status, format!("HTTP/1.1 {status}"), "{method} {headers}");
        assert!(head.contains(in_head), "{method} {headers}: {head}");
        assert_eq!(got_body, *body, "{method} {headers}");
        assert!(head.contains(&format!("etag: {}", tag.to_ascii_lowercase())));
        for telltale in ["date:", "server:", "last-modified:"] {
            assert!(!head.contains(telltale), "{telltale} is nobody's business");
        }
        assert!(served.asked);
    }
}

#[tokio::test]
async fn what_is_not_a_route_is_a_problem_document() {
    let (peers, file) = Peers::offering(&content(3));
    let path = path(&file);
    let upper = path.to_ascii_uppercase().replace("/V1/FILES", "/v1/files");
    let table = [
        ("GET /".to_owned(), "", Code::RouteUnknown),
        ("GET /v1/files/".to_owned(), "", Code::RouteUnknown),
        (format!("GET /v1/files/{}", file.root), "", Code::RouteUnknown),
        (format!("GET /v1/files/{}/+3", file.root), "", Code::RouteUnknown),
        (format!("GET /v1/files/{}/03", file.root), "", Code::RouteUnknown),
        (format!("GET /v1/files/{}/99999999999999999999", file.root), "", Code::RouteUnknown),
        (format!("GET {path}/pieces/more"), "", Code::RouteUnknown),
        (format!("GET {path}/../../../../etc/passwd"), "", Code::RouteUnknown),
        (format!("GET /v1/files/..%2f..%2fetc/{}", file.size), "", Code::RouteUnknown),
        (format!("GET /v1/files/{}/4", file.root), "", Code::FileNotOffered),
        (format!("POST {path}"), "", Code::MethodNotAllowed),
        (format!("DELETE {path}"), "", Code::MethodNotAllowed),
        (format!("GET {path}"), "Content-Length: 5\r\n", Code::BodyTooLarge),
        (format!("GET {path}"), "Transfer-Encoding: chunked\r\n", Code::BodyTooLarge),
    ];
    for (line, headers, code) in table {
        let (response, served) = exchange(&peers, &request(&line, headers)).await;
        let (status, head, body) = parts(&response);
        assert!(status.starts_with(&format!("HTTP/1.1 {}", code.status())), "{line}: {status}");
        assert!(head.contains("content-type: application/problem+json"), "{line}: {head}");
        assert_eq!(serde_json::from_str::<Problem>(body).unwrap().code, code, "{line}");
        assert!(!served.asked && served.bytes_sent == 0, "{line}");
    }
    // A root in capitals is the same root.
    let (response, _) = exchange(&peers, &request(&format!("GET {upper}"), "")).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test]
async fn garbage_and_oversized_heads_end_the_stream() {
    let peers = Peers::new();
    let long_header = format!("X: {}\r\n", "x".repeat(20_000));
    let many_headers = "X: x\r\n".repeat(100);
    for (bytes, status) in [
        (b"\x00\x01\x02\x03 garbage \xff\xfe\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"GET /v1/introduction\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), ""),
        (request("GET /v1/introduction", &long_header), "HTTP/1.1 431"),
        (request("GET /v1/introduction", &many_headers), "HTTP/1.1 431"),
        (request(&format!("GET /{}", "x".repeat(70_000)), ""), "HTTP/1.1 4"),
    ] {
        let (response, served) = exchange(&peers, &bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert!(response.starts_with(status), "{shown}: {response}");
        assert_eq!((served.ended, served.asked), (Ended::Lost, false), "{shown}");
        assert!(!response.contains(&*peers.offer.message_key.reveal()));
    }
}

/// Each certificate is the right one, so only who was first tells them apart.
#[tokio::test]
async fn of_several_streams_of_one_introduction_one_is_served_and_the_others_are_closed() {
    let (peers, file) = Peers::offering(&content(3));
    let line = format!("GET {}", path(&file));
    let (mut first, serving) = raw_for(&peers, &peers.progress).await;
    let (mut proof, mut closed) = ([0; 12], Vec::new());
    first.write_all(b"GET /v1/introduction HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut proof).await.unwrap();
    assert_eq!(&proof, b"HTTP/1.1 200");
    for _ in 0..2 {
        let (mut second, refused) = raw_for(&peers, &peers.progress).await;
        let _ = second.write_all(&request(&line, "")).await;
        let _ = second.read_to_end(&mut closed).await;
        assert!(matches!(ended(refused).await, Err(ServeError::Second)));
        assert!(closed.is_empty(), "{}", String::from_utf8_lossy(&closed));
    }
    first.write_all(&request(&line, "")).await.unwrap();
    first.read_to_end(&mut closed).await.unwrap();
    assert!(closed.windows(12).any(|status| status == b"HTTP/1.1 200"), "the first one goes on");
    assert!(ended(serving).await.unwrap().asked);
}

/// A byte now and then keeps no slot: the head has a limit of its own.
#[tokio::test]
async fn a_head_that_trickles_in_ends_the_stream() {
    let peers = Peers::with_limits(SHORT);
    let (mut tls, serving) = raw(&peers).await;
    let trickle = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        tls.write_all(b"GET /v1/introduction HTTP/1.1\r\nX: ").await.unwrap();
        loop {
            ticks.tick().await;
            if tls.write_all(b"x").await.is_err() || tls.flush().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        served = ended(serving) => assert_eq!(served.unwrap().ended, Ended::Idle),
        () = trickle => {}
    }
}
