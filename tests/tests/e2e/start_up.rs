//! What can be wrong at the start, and the sentence that says what to do about it.

use std::{fs, process::Command};

use hearsay_tests::{
    coordinator::{self, Coordinator},
    peer::{self, Peer},
    process::Program,
    wait::PATIENCE,
};
use protocol::{SessionToken, control::ExitCode, session::ConnectRequest};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The exit code and stderr of a program that does not come up.
async fn failure(name: &str, command: &mut Command) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    let mut program = Program::start(name, command, folder.path());
    let code = program.exit_code().await;
    (code, program.stderr())
}

/// Asserts the code, and that the message names all of `words`.
#[track_caller]
fn assert_told((code, message): &(i32, String), wanted: i32, words: &[&str]) {
    assert_eq!(*code, wanted, "{message}");
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_without_its_coordinator_runs_and_says_so() {
    // A port that nobody listens on: taken, and given back.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut lonely = Peer::named("lonely", &format!("http://{nobody}")).start().await;
    let status = lonely
        .wait_for_status("tells its problem", PATIENCE, |status| status.connection_problem.is_some())
        .await;
    assert!(!status.connected);
    let output = lonely.peerctl(&["connect", "lonely"]).await.expect(ExitCode::Unreachable);
    assert!(output.stderr.contains("coordinator"), "{output:#?}");
    let output = lonely.peerctl(&["search", "anything"]).await;
    assert_ne!(output.code, ExitCode::Done as i32, "{output:#?}");
    lonely.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_nobody_named_is_told_once_and_without_an_address() {
    let coordinator = Coordinator::start().await;
    // Any address of loopback but the one of the proxy that tests trust.
    let elsewhere = reqwest::Client::builder().no_proxy().local_address("127.0.0.2".parse().ok());
    let client = elsewhere.build().unwrap();
    for username in ["alice", "bobby"] {
        let request = ConnectRequest::new(&username.parse().unwrap(), SessionToken::random(), None);
        let call = client.post(format!("http://{}/v1/sessions", coordinator.address()));
        let answer = call.header("x-forwarded-for", "198.51.100.7").json(&request).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }
    let log = coordinator.stderr();
    assert_eq!(log.matches("--trusted-proxy").count(), 1, "{log}");
    assert!(log.contains("WARN"), "{log}");
    assert!(!log.contains("198.51.100.7") && !log.contains("127.0.0.2"), "{log}");
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--download-port", "--upload-port"] {
        let home = TempDir::new().unwrap();
        let told = failure("peer-daemon", &mut peer::command_with(home.path(), flag, &port)).await;
        assert_told(&told, 1, &[&port, flag]);
    }
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--ops-listen"] {
        let other = if flag == "--listen" { "--ops-listen" } else { "--listen" };
        let mut command = coordinator::command();
        let told = failure("coordinator", command.args([flag, &address, other, "127.0.0.1:0"])).await;
        assert_told(&told, 1, &[&port, flag]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_share_is_named() {
    let home = TempDir::new().unwrap();
    let missing = home.path().join("not-there");
    let told = failure("peer-daemon", peer::command(home.path()).arg("--share").arg(&missing)).await;
    assert_told(&told, 2, &["not-there", "does not exist"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_does_not_take_a_socket_that_is_in_use() {
    let home = TempDir::new().unwrap();
    let coordinator = Coordinator::start().await;
    let first = Peer::named("first", &format!("http://{}", coordinator.address())).start().await;
    let socket = first.socket().display().to_string();
    let told = failure("peer-daemon", &mut peer::command_with(home.path(), "--socket", &socket)).await;
    assert_told(&told, ExitCode::Conflict as i32, &["peer.sock", "another peer-daemon", "peerctl stop"]);
    let _ = first.status().await;
    first.stop().await;
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_configuration_is_shown_with_its_place() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("config.toml");
    for (mistake, words) in [
        ("# a comment\nnot_a_key = 1\n", ["config.toml", "line 2", "column 1"]),
        ("listen = 7\n", ["config.toml", "line 1", "column 10"]),
        ("\n\nlisten = \n", ["config.toml", "line 3", "column 10"]),
    ] {
        fs::write(&file, mistake).unwrap();
        let told = failure("peer-daemon", peer::command(home.path()).arg("--config").arg(&file)).await;
        assert_told(&told, 2, &words);
        let told = failure("coordinator", coordinator::command().arg("--config").arg(&file)).await;
        assert_told(&told, 2, &words);
    }
    let missing = home.path().join("nowhere.toml");
    let told = failure("coordinator", coordinator::command().arg("--config").arg(&missing)).await;
    assert_told(&told, 2, &["nowhere.toml"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_does_not_exist_is_bad_usage() {
    let home = TempDir::new().unwrap();
    let told = failure("coordinator", coordinator::command().arg("--lissten")).await;
    assert_told(&told, 2, &["--lissten"]);
    let told = failure("peer-daemon", peer::command(home.path()).arg("--sharing")).await;
    assert_told(&told, 2, &["--sharing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn peerctl_without_a_daemon_says_how_to_start_one() {
    let home = TempDir::new().unwrap();
    let output = hearsay_tests::peerctl::run(&home.path().join("no.sock"), &["status"]).await;
    let output = output.expect(ExitCode::DaemonNotRunning);
    assert!(output.stderr.contains("peerctl start"), "{output:#?}");
    assert_eq!(output.stdout, "");
}
