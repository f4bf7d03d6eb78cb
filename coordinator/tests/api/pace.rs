//! Clients that send too slowly, too far ahead, or don't take their answers: they are cut off, and what an honest one
//! sends ahead is all answered.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{TestApp, eventually};

const SHORT: Duration = Duration::from_secs(1);
/// A longer one than any answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
const NOWHERE: &str = "GET /v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\n";

fn address(app: &TestApp) -> SocketAddr {
    app.base.trim_start_matches("http://").parse().unwrap()
}

async fn no_connections(app: &TestApp) {
    eventually(|| async { app.ops("/metrics").await.1.lines().any(|line| line == "hearsay_connections 0") })
        .await;
}

#[tokio::test]
async fn every_request_of_a_connection_has_its_time_and_not_only_the_first() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.headers = SHORT;
        config.lifetimes.keep_alive = SHORT;
    });
    let chunked = "POST /v1/nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let silent = TcpStream::connect(address(&app)).await.unwrap();
    silent.writable().await.unwrap();
    assert_eq!(silent.try_write(chunked.as_bytes()).unwrap(), chunked.len());
    for (first, drip) in [(NOWHERE, "a"), (chunked, "1\r\nx\r\n")] {
        let mut stream = TcpStream::connect(address(&app)).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
        let cut_off = async {
            while stream.write_all(drip.as_bytes()).await.is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        };
        tokio::time::timeout(PATIENCE, cut_off).await.expect("it may send for ever");
    }
    no_connections(&app).await;
    drop(silent);
    app.stop().await;
}

#[tokio::test]
async fn who_does_not_take_answers_is_cut_off() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.answer = SHORT;
        // Not the time of an idle connection: it is not idle.
        config.lifetimes.keep_alive = PATIENCE * 10;
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address(&app)).await.unwrap();
    let requests = NOWHERE.repeat(1_000);
    // Until nothing more goes in, and then until the other side has had enough.
    let cut_off = async { while stream.write_all(requests.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, cut_off).await.expect("its connection is kept for ever");
    no_connections(&app).await;
    app.stop().await;
}

#[tokio::test]
async fn all_that_is_sent_ahead_is_answered_also_behind_a_parked_poll() {
    let app = TestApp::start();
    let (alice, bobby) = (app.connect("alice").await, app.connect("bobby").await);
    let poll = format!(
        "GET /v1/events?wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        *bobby.token.reveal()
    );
    // More than the HTTP library has room for.
    let many = 10_000;
    let last = NOWHERE.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let requests = [poll, NOWHERE.repeat(many), last].concat();
    let (mut reader, mut writer) = TcpStream::connect(address(&app)).await.unwrap().into_split();
    let mut answers = String::new();
    let ((), (), read) = tokio::join!(
        async { writer.write_all(requests.as_bytes()).await.unwrap() },
        async {
            app.until_parked(1).await;
            alice.introduce("bobby").await;
        },
        tokio::time::timeout(PATIENCE, reader.read_to_string(&mut answers)),
    );
    read.expect("it waits for ever").unwrap();
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers:.100}");
    assert_eq!(answers.matches("HTTP/1.1 404").count(), many + 1);
    app.stop().await;
}
