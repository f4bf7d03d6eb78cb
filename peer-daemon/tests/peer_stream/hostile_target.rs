//! A target that opened the seal and lies: pitfall 8, 17. The right bytes or a named error, never a mix.

use peer_daemon::peer_stream::{
    client::{Requester, StreamError},
    limits::StreamLimits,
    tls::{TargetTls, start_as_target},
};
use protocol::{Code, FileId, Root};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

use crate::harness::{PATIENCE, Peers, SHORT, content, fetch, identify};

/// Answers the first request with these bytes and then closes, or goes silent.
async fn lying_target(response: Vec<u8>, then_silent: bool) -> (Requester, JoinHandle<String>) {
    let limits = if then_silent { SHORT } else { StreamLimits::default() };
    let peers = Peers::with_limits(limits);
    let (near, far) = duplex(64 * 1024);
    let (target, requester) = (peers.target.clone(), peers.requester.requester_certificate_sha256());
    let lying = TaskTracker::new().spawn(async move {
        let mut tls = start_as_target(far, &target, requester, PATIENCE).await.unwrap();
        let request = read_head(&mut tls).await;
        // The requester may have heard enough before the end.
        let _ = tls.write_all(&response).await;
        let _ = tls.flush().await;
        if then_silent {
            let _ = tls.read(&mut [0; 1]).await;
        } else {
            let _ = tls.shutdown().await;
        }
        request
    });
    let requester = Requester::establish(limits, near, &peers.requester, None).await.unwrap();
    (requester, lying)
}

async fn read_head(tls: &mut TargetTls<DuplexStream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn file() -> FileId {
    FileId::new(Root::from_bytes([0xab; 32]), 100).unwrap()
}

/// A header with another value, or left out.
type Change<'a> = (&'a str, Option<&'a str>);

/// An honest 206 for bytes 10 to 19 of [`file`], with changes.
fn part(status: &str, changes: &[Change<'_>], body: &str) -> Vec<u8> {
    let tag = format!("\"{}\"", file().root);
    let mut headers =
        vec![("ETag", tag.as_str()), ("Content-Range", "bytes 10-19/100"), ("Content-Length", "10")];
    for &(name, value) in changes {
        headers.retain(|(other, _)| *other != name);
        headers.extend(value.map(|value| (name, value)));
    }
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{}\r\n{body}", lines.concat()).into_bytes()
}

#[tokio::test]
async fn an_honest_answer_is_taken_and_was_asked_for_exactly() {
    let (mut requester, lying) = lying_target(part("206 X", &[], "0123456789"), false).await;
    assert_eq!(fetch(&mut requester, &file(), 10..20).await.unwrap(), b"0123456789");
    let request = lying.await.unwrap().to_ascii_lowercase();
    for line in ["range: bytes=10-19\r\n", &format!("if-range: \"{}\"\r\n", file().root)] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn a_lie_in_the_head_is_named_before_a_byte_counts() {
    const BODY: &str = "0123456789";
    let lies: &[(&str, &[Change<'_>])] = &[
        ("206 X", &[("Content-Range", Some("bytes 0-9/100"))]),
        ("206 X", &[("Content-Range", Some("bytes 10-18/100"))]),
        ("206 X", &[("Content-Range", Some("bytes 10-20/100"))]),
        ("206 X", &[("Content-Range", Some("bytes 10-19/101"))]),
        ("206 X", &[("Content-Range", Some("bytes 10-19/*"))]),
        ("206 X", &[("Content-Range", Some("bytes */100"))]),
        ("206 X", &[("Content-Range", Some("pages 10-19/100"))]),
        ("206 X", &[("Content-Range", None)]),
        ("206 X", &[("Content-Length", Some("9"))]),
        ("206 X", &[("Content-Length", Some("11"))]),
        ("206 X", &[("Content-Length", None)]),
        ("206 X", &[("Content-Length", None), ("Transfer-Encoding", Some("chunked"))]),
        ("206 X", &[("ETag", Some("\"other\""))]),
        ("206 X", &[("ETag", None)]),
        ("206 X", &[("Content-Encoding", Some("gzip"))]),
        ("206 X", &[("Content-Type", Some("multipart/byteranges; boundary=x")), ("Content-Range", None)]),
        ("200 X", &[]),
        ("200 X", &[("Content-Range", None)]),
        ("200 X", &[("Content-Range", None), ("Content-Length", Some("100"))]),
        ("206 X", &[("Content-Length", Some("-10"))]),
        ("206 X", &[("Content-Length", Some("18446744073709551626"))]),
    ];
    for (status, changes) in lies {
        let (mut requester, _lying) = lying_target(part(status, changes, BODY), false).await;
        match fetch(&mut requester, &file(), 10..20).await {
            Err((received, StreamError::Protocol(_))) => assert!(received.is_empty()),
            other => panic!("{status} {changes:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_short_is_lost_and_a_longer_one_is_cut() {
    let (mut requester, _lying) = lying_target(part("206 X", &[], "01234"), false).await;
    let (received, error) = fetch(&mut requester, &file(), 10..20).await.unwrap_err();
    assert!(matches!(error, StreamError::Lost), "{error:?}");
    assert_eq!(received, b"01234");

    let (mut requester, _lying) = lying_target(part("206 X", &[], "0123456789abc"), false).await;
    assert_eq!(fetch(&mut requester, &file(), 10..20).await.unwrap(), b"0123456789");
    let next = fetch(&mut requester, &file(), 20..30).await;
    assert!(matches!(next, Err((_, StreamError::Protocol(_) | StreamError::Lost))), "{next:?}");
}

/// Not hostile at all: others wait, too.
#[tokio::test]
async fn a_target_that_says_goodbye_between_two_responses_is_not_one_whose_stream_broke() {
    let (mut requester, polite) = lying_target(part("206 X", &[], "0123456789"), false).await;
    assert_eq!(fetch(&mut requester, &file(), 10..20).await.unwrap(), b"0123456789");
    polite.await.unwrap();
    let next = fetch(&mut requester, &file(), 20..30).await;
    assert!(matches!(next, Err((_, StreamError::Ended))), "{next:?}");
}

#[tokio::test]
async fn refusals_are_read_with_care() {
    let problem = r#"{"code":"file_gone","status":410,"title":"\u001b[31mred"}"#;
    let huge = format!(r#"{{"code":"file_gone","status":410,"title":"{}"}}"#, "x".repeat(100_000));
    for (status, body, expected) in [
        ("410 Gone", problem, Some(Code::FileGone)),
        ("410 Gone", "<html>", Some(Code::Unknown)),
        ("404 X", "", Some(Code::Unknown)),
        ("416 X", "", Some(Code::Unknown)),
        ("302 Found", "", Some(Code::Unknown)),
        ("410 Gone", huge.as_str(), None),
    ] {
        let response = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (mut requester, _lying) = lying_target(response.into_bytes(), false).await;
        match (fetch(&mut requester, &file(), 10..20).await.unwrap_err().1, expected) {
            (StreamError::Refused { code, status: got }, Some(expected)) => {
                assert_eq!(code, expected, "{body}");
                assert!(status.starts_with(&got.to_string()));
            }
            (StreamError::Protocol(_), None) => {}
            (other, _) => panic!("{status} {body:.60}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn garbage_and_oversized_heads_are_named() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: x\r\n".repeat(1_000));
    let endless =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n{}", "x".repeat(0xfffff));
    for response in ["\0\0garbage\r\n\r\n", "SSH-2.0-x\r\n\r\n", &long, &many, &endless] {
        let (mut requester, _lying) = lying_target(response.as_bytes().to_vec(), false).await;
        let error = requester.proof().await.unwrap_err();
        assert!(matches!(error, StreamError::Protocol(_)), "{response:.40}: {error:?}");
    }
}

#[tokio::test]
async fn a_proof_that_is_none_is_named() {
    for body in ["", "{}", "[]", r#"{"id":"00","message_key":"00"}"#] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (mut requester, _lying) = lying_target(response.into_bytes(), false).await;
        let error = requester.proof().await.unwrap_err();
        assert!(matches!(error, StreamError::Protocol(_)), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn silence_is_named_wherever_it_begins() {
    let silences = [
        Vec::new(),
        b"HTTP/1.1 206 Partial Con".to_vec(),
        part("206 X", &[], "")[..60].to_vec(),
        part("206 X", &[], ""),
        part("206 X", &[], "0123"),
    ];
    for response in silences {
        let shown = String::from_utf8_lossy(&response).into_owned();
        let (mut requester, _lying) = lying_target(response, true).await;
        let (_, error) = tokio::time::timeout(PATIENCE, fetch(&mut requester, &file(), 10..20))
            .await
            .expect("no limit struck")
            .unwrap_err();
        assert!(matches!(error, StreamError::Idle { .. }), "{shown}: {error:?}");
    }
    let (mut requester, _lying) = lying_target(Vec::new(), true).await;
    assert!(matches!(requester.proof().await, Err(StreamError::Idle { .. })));
}

#[tokio::test]
async fn a_piece_layer_counts_only_if_it_leads_to_the_root() {
    let (file, layer) = identify(&content(3 * 1024 * 1024));
    let right = layer.to_bytes();
    let mut changed = right.clone();
    changed[40] ^= 1;
    for (bytes, is_right) in [
        (right.clone(), true),
        (changed, false),
        (right[..64].to_vec(), false),
        ([&right[..], &[0; 32]].concat(), false),
        (Vec::new(), false),
    ] {
        let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()).into_bytes();
        response.extend(bytes);
        let (mut requester, _lying) = lying_target(response, false).await;
        match requester.piece_layer(&file).await {
            Ok(received) => assert!(is_right && received == layer),
            Err(error) => assert!(!is_right && matches!(error, StreamError::Protocol(_)), "{error:?}"),
        }
    }
    // Nothing is asked for a file of one piece.
    let (small, _) = identify(&content(100));
    let (mut requester, _lying) = lying_target(Vec::new(), true).await;
    assert_eq!(requester.piece_layer(&small).await.unwrap().file(), small);
}
