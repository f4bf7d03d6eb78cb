//! What the operator does to a running coordinator, with the real program: settings, signals, health.

use std::{fs, process::Output};

use hearsay_tests::{
    api_client::{ApiClient, send},
    coordinator::{self, Coordinator},
    session::claim,
    wait::{PATIENCE, until},
};
use protocol::{Code, SessionToken};

fn run(arguments: &[&str]) -> Output {
    coordinator::command().args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_puts_the_changed_configuration_in_force() {
    let coordinator = Coordinator::start().await;
    let client = ApiClient::without_proxy(&format!("http://{}", coordinator.address()));
    let _ = claim(&client, "alice", &SessionToken::random()).await.expect(201);

    coordinator.configure_again("join_key = \"open sesame\"\nlimits.backlog = 7\n");
    until("the join key is asked for", PATIENCE, async || {
        let answer = claim(&client, "bobby", &SessionToken::random()).await;
        (answer.status == 403).then(|| answer.expect_problem(Code::JoinKeyWrong))
    })
    .await;
    until("what needs a restart is told", PATIENCE, async || {
        coordinator.stderr().contains("limits.backlog").then_some(())
    })
    .await;

    coordinator.configure_again("limits.no_such_limit = 7\n");
    until("the mistake is told", PATIENCE, async || {
        coordinator.stderr().contains("no_such_limit").then_some(())
    })
    .await;
    let _ = claim(&client, "carol", &SessionToken::random()).await.expect(403);
    assert!(!coordinator.stderr().contains("sesame"), "{}", coordinator.stderr());
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_of_the_ops_listener() {
    let coordinator = Coordinator::start().await;
    let ops = coordinator.ops_url().trim_start_matches("http://").to_owned();
    let healthy = run(&["healthcheck", "--ops-listen", &ops]);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");
    let metrics = send(ApiClient::to(&coordinator.ops_url()).get("/metrics")).await.expect(200);
    assert!(metrics.body.contains("# UNIT process_resident_memory_bytes bytes"), "{metrics:?}");
    coordinator.stop().await;

    let gone = run(&["healthcheck", "--ops-listen", &ops]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    let nobody_to_ask = run(&["healthcheck"]);
    assert_eq!(nobody_to_ask.status.code(), Some(1), "{nobody_to_ask:?}");
}

#[test]
fn the_configuration_in_force_is_printed_and_can_be_read_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordinator.toml");
    fs::write(&file, "join_key = \"open sesame\"\nlimits.searches = 7\n").unwrap();
    let printed = run(&["--config", file.to_str().unwrap(), "print-config", "--listen", "127.0.0.1:9"]);
    assert_eq!(printed.status.code(), Some(0), "{printed:?}");
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("listen = \"127.0.0.1:9\"") && text.contains("searches = 7"), "{text}");
    assert!(!text.contains("sesame"), "{text}");

    fs::write(&file, &text).unwrap();
    let again = run(&["--config", file.to_str().unwrap(), "print-config"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap().replace("# join_key is not set", ""), {
        text.replace("# join_key is set, and not shown", "")
    });
}

#[test]
fn lines_of_the_log_can_be_json() {
    let bad = run(&["--log-format", "json", "--config", "/nonexistent/coordinator.toml"]);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    let lines = String::from_utf8(bad.stderr).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().unwrap().contains("/nonexistent/coordinator.toml"), "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
}
