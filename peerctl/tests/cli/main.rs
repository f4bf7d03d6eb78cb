//! `peerctl` as scripts see it: exit codes, stdout and stderr, against a control socket with canned answers.
// A harness that can't go on fails the test.
#![allow(clippy::unwrap_used)]

mod completing;
mod disk;
mod doctor;
mod documents;
mod fake_daemon;
mod help;
mod hints;
mod logs;
mod narrow;
mod schema;
mod searching;
mod shares;
mod start;
mod terminal;
mod versions;
mod watching;
mod why;

use fake_daemon::{FakeDaemon, Ran, download, downloads, status};
use protocol::Code;
use serde_json::{Value, json};

#[test]
fn another_users_socket_is_asked_for_nothing() {
    let daemon =
        FakeDaemon::start().answers("POST /v1/gui/login", 200, json!({"schema": 1, "url": "http://evil"}));
    // Only root can give a file away.
    if std::os::unix::fs::chown(daemon.socket(), Some(65_534), None).is_ok() {
        daemon.peerctl(&["gui"]).exits(10).prints("").says("is another user's");
        assert!(daemon.asked().is_empty());
    }
}

#[test]
fn without_a_daemon_every_command_says_how_to_start_it() {
    let daemon = FakeDaemon::absent();
    for arguments in [
        &["status"][..],
        &["stop"],
        &["search", "song"],
        &["get", "1"],
        &["wait", "1"],
        &["downloads"],
        &["uploads"],
        &["show", "1"],
        &["why", "1"],
        &["connect", "alice"],
        &["disconnect"],
        &["gui"],
    ] {
        daemon
            .peerctl(arguments)
            .exits(3)
            .prints("")
            .says("peer-daemon is not running; start it with: peerctl start");
    }
    daemon.peerctl(&["version"]).exits(0);
}

#[test]
fn a_socket_that_a_killed_daemon_left_counts_as_no_daemon() {
    let daemon = FakeDaemon::absent();
    drop(std::os::unix::net::UnixListener::bind(daemon.socket()).unwrap());
    assert!(daemon.socket().exists());
    daemon.peerctl(&["status"]).exits(3);
}

#[test]
fn wrong_usage_exits_with_2() {
    let daemon = FakeDaemon::absent();
    for arguments in [&[][..], &["fetch"], &["get"], &["get", "x"], &["wait", "../status"], &["search"]] {
        daemon.peerctl(arguments).exits(2).prints("");
    }
    daemon.peerctl(&["start", "--", "--socket", "x"]).exits(2).says("peerctl --socket PATH start");
    daemon.peerctl(&["start", "--", "--profile", "x"]).exits(2).says("peerctl --profile NAME start");
    daemon.peerctl(&["--profile", "../x", "status"]).exits(2).says("letters a to z");
    daemon.peerctl(&["--profile", "default", "status"]).exits(2).says("leave the profile out");
}

#[test]
fn json_is_what_the_daemon_said_to_the_last_field() {
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, status("alice"));
    daemon.peerctl(&["status", "--json"]).exits(0).prints(&format!("{}\n", status("alice")));
}

#[test]
fn the_status_is_told_in_lines() {
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, status("alice"));
    let ran = daemon.peerctl(&["status"]).exits(0);
    assert!(ran.stdout.starts_with("connection   connected as alice\n"), "{ran:?}");
}

#[test]
fn the_link_to_the_web_page_is_data_and_what_to_know_about_it_is_not() {
    let url = "http://127.0.0.1:4823/#ab";
    let daemon = FakeDaemon::start().answers("POST /v1/gui/login", 200, json!({ "schema": 1, "url": url }));
    daemon.peerctl(&["gui"]).exits(0).prints(&format!("{url}\n")).says("works once");
    FakeDaemon::start()
        .problem("POST /v1/gui/login", Code::GuiOff)
        .peerctl(&["gui"])
        .exits(5)
        .says("the web page is off");
}

#[test]
fn an_answer_that_is_none_of_ours_is_no_crash() {
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, json!([1])).answers(
        "GET /v1/uploads",
        500,
        json!("x"),
    );
    daemon.peerctl(&["status"]).exits(1).says("can't be read");
    daemon.peerctl(&["uploads"]).exits(1).says("status 500");
    daemon.peerctl(&["downloads"]).exits(12).says("peerctl version");
}

#[test]
fn a_taken_username_exits_with_5_where_nobody_can_be_asked() {
    let daemon = FakeDaemon::start().problem("PUT /v1/connection", Code::UsernameTaken);
    daemon.peerctl(&["connect", "alice"]).exits(5).prints("").says("is taken; choose another");
    assert_eq!(daemon.asked().len(), 1);
    assert_eq!(daemon.asked()[0].body, json!({ "username": "alice" }));
}

#[test]
fn connecting_says_so_and_fails_when_it_did_not() {
    let mut waiting = status("alice");
    waiting["connected"] = json!(false);
    waiting["connection_problem"] = json!("the coordinator drains");
    let daemon = FakeDaemon::start().answers("PUT /v1/connection", 200, status("alice")).answers(
        "PUT /v1/connection",
        200,
        waiting,
    );
    daemon.peerctl(&["connect", "alice"]).exits(0).prints("connected as alice\n");
    daemon.peerctl(&["connect", "alice"]).exits(7).prints("").says("not connected: the coordinator drains");
}

#[test]
fn get_follows_a_download_to_its_end_and_prints_its_path() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads", 201, downloads(&[download("3", "queued", None)]))
        .answers("GET /v1/downloads/3", 200, downloads(&[download("3", "transferring", None)]))
        .answers("GET /v1/downloads/3", 200, downloads(&[download("3", "finished", None)]));
    daemon
        .peerctl(&["get", "7.1"])
        .exits(0)
        .prints("/d/song.mp3\n")
        .says("song.mp3: transferring\nsong.mp3: finished\n");
    assert_eq!(daemon.asked()[0].body, json!({ "targets": ["7.1"] }));
}

#[test]
fn get_returns_at_once_when_it_is_told_to() {
    let created = downloads(&[download("3", "queued", None)]);
    let daemon = FakeDaemon::start().answers("POST /v1/downloads", 201, created.clone());
    daemon.peerctl(&["get", "1", "--detach"]).exits(0).prints("3\tsong.mp3\n");
    daemon.peerctl(&["get", "1", "--detach", "--json"]).exits(0).prints(&format!("{created}\n"));
}

#[test]
fn a_failed_download_exits_with_the_code_of_its_cause() {
    for (cause, code) in
        [("source_changed", 8), ("no_space", 9), ("declined", 10), ("integrity", 32), ("other", 1)]
    {
        let failed = download("3", "failed", Some(cause));
        let daemon = FakeDaemon::start()
            .answers(
                "POST /v1/downloads",
                201,
                downloads(&[download("3", "queued", None), download("4", "queued", None)]),
            )
            .answers("GET /v1/downloads/3", 200, downloads(&[failed]))
            .answers("GET /v1/downloads/4", 200, downloads(&[download("4", "finished", None)]));
        daemon
            .peerctl(&["get", "1", "2"])
            .exits(code)
            .prints("/d/song.mp3\n")
            .says("song.mp3: failed: told in a sentence");
    }
}

#[test]
fn an_unknown_result_or_download_exits_with_4() {
    let daemon = FakeDaemon::start()
        .problem("POST /v1/downloads", Code::ResultUnknown)
        .problem("GET /v1/downloads/9", Code::DownloadUnknown);
    daemon.peerctl(&["get", "9"]).exits(4).says("peerctl search QUERY");
    daemon.peerctl(&["show", "9"]).exits(4).says("peerctl downloads");
}

#[test]
fn waiting_ends_with_6_when_the_time_is_over() {
    let daemon =
        FakeDaemon::start().answers("GET /v1/downloads/3", 200, downloads(&[download("3", "waiting", None)]));
    daemon.peerctl(&["wait", "3", "--timeout", "0"]).exits(6).prints("").says("peerctl wait 3");
}

#[test]
fn an_interrupted_get_leaves_the_download_running_and_says_how_to_go_on() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads", 201, downloads(&[download("3", "queued", None)]))
        .answers("GET /v1/downloads/3", 200, downloads(&[download("3", "transferring", None)]));
    let peerctl = daemon.spawn(&["get", "1"]);
    // Two polls: by then the signal is listened for.
    while daemon.asked().len() < 3 {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&peerctl);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    Ran::of(peerctl.wait_with_output().unwrap()).exits(130).prints("").says("peerctl wait 3");
    assert!(daemon.asked().iter().all(|asked| !asked.line.starts_with("DELETE")));
}

#[test]
fn no_text_of_a_daemon_moves_the_cursor() {
    let mut hostile = download("3", "failed", Some("other"));
    hostile["reason"] = json!("\u{1b}[2Jgone\rback");
    hostile["path"] = json!("/d/\u{1b}]52;c;x\u{7}");
    let daemon = FakeDaemon::start()
        .answers("GET /v1/downloads/3", 200, downloads(std::slice::from_ref(&hostile)))
        .answers("GET /v1/downloads", 200, downloads(&[hostile]));
    for arguments in [&["show", "3"][..], &["wait", "3"], &["downloads"]] {
        let ran = daemon.peerctl(arguments);
        assert!(
            !ran.stdout.contains(['\x1b', '\r', '\x07']) && !ran.stderr.contains(['\x1b', '\r', '\x07']),
            "{ran:?}"
        );
    }
}

#[test]
fn an_unsafe_name_from_a_daemon_is_refused() {
    let mut hostile = download("3", "finished", None);
    hostile["name"] = json!("../x");
    let daemon = FakeDaemon::start().answers("GET /v1/downloads", 200, downloads(&[hostile]));
    daemon.peerctl(&["downloads"]).exits(1).prints("").says("not safe");
}

#[test]
fn stop_returns_when_the_socket_is_gone() {
    let daemon = FakeDaemon::start().answers("POST /v1/shutdown", 202, Value::Null).answers(
        "GET /v1/status",
        200,
        status("alice"),
    );
    let peerctl = daemon.spawn(&["stop"]);
    // It asks on while the daemon drains.
    while daemon.asked().len() < 3 {
        std::thread::yield_now();
    }
    std::fs::remove_file(daemon.socket()).unwrap();
    Ran::of(peerctl.wait_with_output().unwrap()).exits(0).prints("peer-daemon has stopped\n");
    assert_eq!(daemon.asked()[0].line, "POST /v1/shutdown");
}
