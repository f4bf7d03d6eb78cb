//! `peerctl logs`.

use std::io::{BufRead as _, Write as _};

use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, Ran};

fn with_log(daemon: &FakeDaemon, lines: &str) -> std::path::PathBuf {
    let state = daemon.folder().join(".local/state/hearsay");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("daemon.log"), lines).unwrap();
    state.join("daemon.log")
}

#[test]
fn the_end_of_the_log_is_shown_without_a_daemon_and_moves_no_cursor() {
    let daemon = FakeDaemon::absent();
    daemon.peerctl(&["logs"]).exits(4).prints("").says("journalctl");
    let path = with_log(&daemon, "one\ntwo\nthree \x1b[2J\n");
    daemon.peerctl(&["logs", "--lines", "2"]).exits(0).prints("two\nthree \u{fffd}[2J\n");
    let document: Value = serde_json::from_str(&daemon.peerctl(&["logs", "--json"]).exits(0).stdout).unwrap();
    assert_eq!((&document["schema"], &document["file"]), (&json!(1), &json!(path)));
    assert_eq!(document["lines"][0], "one");
}

#[test]
fn the_log_of_a_running_daemon_is_where_its_state_is() {
    let daemon = FakeDaemon::absent();
    let elsewhere = daemon.folder().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("daemon.log"), "here\n").unwrap();
    let setting = json!({
        "name": "state_dir", "value": elsewhere, "origin": "flag", "settable": false, "at_next_start": null,
    });
    let configuration = json!({ "schema": 1, "file": null, "settings": [setting] });
    let daemon = daemon.answers("GET /v1/config", 200, configuration);
    daemon.listen();
    daemon.peerctl(&["logs"]).exits(0).prints("here\n");
}

#[test]
fn a_log_is_followed_until_ctrl_c() {
    let daemon = FakeDaemon::absent();
    let path = with_log(&daemon, "one\n");
    let mut peerctl = daemon.spawn(&["logs", "--follow"]);
    let mut stdout = std::io::BufReader::new(peerctl.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    std::fs::File::options().append(true).open(&path).unwrap().write_all(b"two\n").unwrap();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "one\ntwo\n");
    // As the daemon does when the file is full.
    std::fs::rename(&path, path.with_extension("log.1")).unwrap();
    std::fs::write(&path, "three\n").unwrap();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "one\ntwo\nthree\n");
    daemon.peerctl(&["logs", "--lines", "2"]).exits(0).prints("two\nthree\n");
    let pid = rustix::process::Pid::from_child(&peerctl);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    Ran::of(peerctl.wait_with_output().unwrap()).exits(0);
}
