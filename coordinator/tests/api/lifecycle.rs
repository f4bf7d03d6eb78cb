//! Start, health, drain, end.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, time::Duration};

use coordinator::{
    config::{Config, Listen},
    server::{BindError, Server},
};
use protocol::{Code, SessionToken};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{
    harness::{TestApp, config, connect_body, eventually, refused},
    observed::send,
    refusals::calls_with_a_body,
};

#[tokio::test]
async fn a_drain_answers_parked_polls_and_takes_no_new_calls() {
    let app = TestApp::start_with(|config| config.lifetimes.drain = Duration::from_hours(1));
    let peer = app.connect("alice").await;
    assert_eq!(app.ops("/readyz").await.0, 200);
    // Its own time is longer than an answer is waited for.
    let (parked, ()) = tokio::join!(peer.poll_with(None, 50), async {
        app.until_parked(1).await;
        app.begin_stop();
    });
    assert_eq!(parked.status(), 204);
    let retry_after: u64 = parked.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&retry_after), "{retry_after}");
    for (method, path) in calls_with_a_body() {
        let refusal = send(peer.named(method, &path).json(&json!({}))).await;
        assert!(refusal.headers().contains_key("retry-after"));
        refused(refusal, Code::Draining).await;
    }
    refused(peer.poll_with(None, 5).await, Code::Draining).await;
    assert_eq!(app.ops("/readyz").await.0, 503);
    assert_eq!(app.ops("/livez").await.0, 200);
    assert_eq!(peer.disconnect().await.status(), 204, "leaving is still possible");
    app.abandon();
}

/// An idle one does not keep the server from ending, and one with a call under way gets its answer.
#[tokio::test]
async fn at_the_end_idle_connections_are_closed_and_calls_are_finished() {
    let app = TestApp::start_with(|config| config.lifetimes.keep_alive = Duration::from_hours(1));
    let address: SocketAddr = app.base.trim_start_matches("http://").parse().unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    let body = connect_body("alice", &SessionToken::random(), None).to_string();
    let (first, rest) = body.split_at(10);
    let mut busy = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    busy.write_all((head + first).as_bytes()).await.unwrap();
    eventually(|| async { app.ops("/metrics").await.1.lines().any(|line| line == "hearsay_connections 2") })
        .await;

    app.begin_stop();
    let (mut rest_of_answer, mut answered) = (Vec::new(), String::new());
    idle.read_to_end(&mut rest_of_answer).await.unwrap();
    busy.write_all(rest.as_bytes()).await.unwrap();
    busy.read_to_string(&mut answered).await.unwrap();
    assert!(answered.starts_with("HTTP/1.1 201"), "{answered}");
    app.stop().await;
}

#[tokio::test]
async fn a_busy_address_is_told_with_what_to_do() {
    let app = TestApp::start();
    let listen: Listen = app.base.trim_start_matches("http://").parse().unwrap();
    let second = Server::bind(Config { listen: listen.clone(), ..config() });
    let Err(error @ BindError::InUse { .. }) = second else { panic!("it was bound twice") };
    assert_eq!(
        error.to_string(),
        format!("{listen} is in use: stop what listens there, or choose another address with --listen")
    );
    app.stop().await;
}

#[tokio::test]
async fn the_ready_file_tells_the_bound_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ready.json");
    let app = TestApp::start_with(|config| config.ready_file = Some(path.clone()));
    let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(format!("http://{}", ready["listen"].as_str().unwrap()), app.base);
    assert_eq!(format!("http://{}", ready["ops_listen"].as_str().unwrap()), app.ops);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
    app.stop().await;
}

#[tokio::test]
async fn a_unix_socket_serves_and_a_left_over_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    // Bound and closed, but not removed: what a crash leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let config = Config { listen: Listen::Unix(path.clone()), ..config() };
    let server = Server::bind(config.clone()).unwrap();
    let in_use = Server::bind(config.clone());
    assert!(matches!(in_use, Err(BindError::InUse { .. })), "a live one is not stolen");

    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660, "owner and group, whatever the umask was");

    let stop = CancellationToken::new();
    let client = reqwest::Client::builder().unix_socket(path.clone()).no_proxy().build().unwrap();
    let (outcome, ()) = tokio::join!(server.run_until(stop.clone()), async {
        let body = connect_body("alice", &SessionToken::random(), None);
        let url = "http://coordinator.invalid/v1/sessions";
        assert_eq!(send(client.post(url).json(&body)).await.status(), 201);
        stop.cancel();
    });
    outcome.unwrap();
    assert!(!path.exists());

    let listen_mode = "0600".parse().unwrap();
    let _private =
        Server::bind(Config { listen: Listen::Unix(path.clone()), listen_mode, ..config }).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_in_the_place_of_the_unix_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes");
    std::fs::write(&path, "mine").unwrap();
    let refused = Server::bind(Config { listen: Listen::Unix(path.clone()), ..config() });
    assert!(matches!(refused, Err(BindError::InUse { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

#[tokio::test]
async fn metrics_count_and_name_nobody() {
    let app = TestApp::start();
    app.connect("alice").await;
    let (status, text) = app.ops("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.lines().any(|line| line == "hearsay_sessions 1"), "{text}");
    assert!(!text.contains("alice"));
    app.stop().await;
}
