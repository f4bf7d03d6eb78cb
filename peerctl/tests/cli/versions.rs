//! A daemon of another version is told as such: both versions, what to update, and exit code 12.

use serde_json::json;

use crate::fake_daemon::{FakeDaemon, status};

const STATUS: &str = "GET /v1/status";

/// Of a version whose status has nothing else in common with ours.
fn of_version(protocol_version: u32) -> FakeDaemon {
    let status = json!({ "schema": 7, "version": "0.9.0", "protocol_version": protocol_version });
    FakeDaemon::start().answers(STATUS, 200, status)
}

const UPDATE_PEERCTL: &str = "peer-daemon speaks protocol version 2, peerctl version 1: update peerctl\n";
const UPDATE_DAEMON: &str = "peer-daemon speaks protocol version 0, peerctl version 1: update peer-daemon; if that is \
                             done, start it again: peerctl restart\n";

#[test]
fn version_tells_both_sides_and_which_to_update() {
    for (theirs, sentence) in [(2, UPDATE_PEERCTL), (0, UPDATE_DAEMON)] {
        let daemon = of_version(theirs);
        let ran = daemon.peerctl(&["version"]).exits(12);
        assert_eq!(ran.stderr, sentence);
        ran.prints(&format!("peerctl 0.1.0 (protocol 1)\npeer-daemon 0.9.0 (protocol {theirs})\n"));
        let ran = daemon.peerctl(&["--json", "version"]).exits(12).says("peerctl version 1");
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(document["daemon"]["protocol_version"], theirs);
    }
    let same = FakeDaemon::start().answers(STATUS, 200, status("alice"));
    same.peerctl(&["version"]).exits(0).says("");
}

#[test]
fn whatever_fails_over_another_version_says_so() {
    let daemon = of_version(2)
        .answers("GET /v1/uploads", 200, json!({ "of_a_later_version": [] }))
        .problem("GET /v1/downloads", protocol::Code::RequestInvalid);
    // An answer that can't be read, a request that can't be, and a route that is not there.
    for arguments in [&["uploads"][..], &["downloads"], &["requests"], &["status"]] {
        let ran = daemon.peerctl(arguments).exits(12).prints("");
        assert_eq!(ran.stderr, UPDATE_PEERCTL, "{arguments:?}");
    }
    // What fails for another reason is told as ever.
    let daemon = of_version(2).problem("GET /v1/uploads", protocol::Code::RateLimited);
    daemon.peerctl(&["uploads"]).exits(11);
}

#[test]
fn a_status_that_can_be_read_tells_of_the_mismatch_too() {
    let mut of_later = status("alice");
    of_later["protocol_version"] = json!(2);
    let daemon = FakeDaemon::start().answers(STATUS, 200, of_later);
    let ran = daemon.peerctl(&["status"]).exits(0);
    assert!(ran.stdout.contains("peerctl version 1: update peerctl"), "{ran:?}");
}
