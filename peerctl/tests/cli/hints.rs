//! What one is told to type next: it has to work as it stands there.

use protocol::Code;
use serde_json::{Value, json};

use crate::{
    fake_daemon::{FakeDaemon, download, downloads, status},
    terminal::{ENTER, Terminal},
};

fn why(state: &str, next: &str) -> Value {
    json!({
        "schema": 1, "download": download("3", state, None), "steps": [], "next": { "what": next, "at": null },
    })
}

#[test]
fn who_means_a_daemon_by_a_flag_is_told_of_that_one() {
    let daemon = FakeDaemon::absent();
    daemon
        .peerctl(&["--profile", "work", "status"])
        .exits(3)
        .says("start it with: peerctl --profile work start\n");
    daemon
        .peerctl(&["--socket", "/no where", "status"])
        .exits(3)
        .says("peerctl --socket '/no where' start\n");
}

#[test]
fn what_the_daemon_says_to_type_reaches_that_daemon() {
    let mut held = download("3", "paused", None);
    let reason = "uploads are off; to go on: peerctl config set uploads on";
    (held["reason"], held["name"]) = (json!(reason), json!("how to (peerctl stop)"));
    let remedy = "let this user read it, or: peerctl share rm /m";
    let check = json!({ "name": "shares", "verdict": "bad", "finding": "it is so", "remedy": remedy });
    let mut nobody = status("alice");
    (nobody["username"], nobody["connected"]) = (Value::Null, json!(false));
    let daemon = FakeDaemon::start()
        .answers("GET /v1/downloads", 200, downloads(&[held.clone()]))
        .answers("GET /v1/downloads/3", 200, downloads(&[held]))
        .answers("GET /v1/downloads/3/why", 200, why("paused", "it waits for you: peerctl resume"))
        .answers("GET /v1/status", 200, nobody)
        .answers("GET /v1/doctor", 200, json!({ "schema": 1, "checks": [check] }));
    let socket = daemon.socket();
    let socket = socket.to_str().unwrap();
    let told = |arguments: &[&str], code| {
        let all = [&["--socket", socket], arguments].concat();
        Terminal::run(&daemon.command(&all), 300).exits(code).join("\n")
    };
    for (verb, command, code) in [
        (&["downloads"][..], "config set uploads on", 0),
        (&["show", "3"], "config set uploads on", 0),
        (&["wait", "3", "--timeout", "0"], "wait 3", 6),
        (&["why", "3"], "resume 3", 0),
        (&["status"], "connect USERNAME", 0),
        (&["doctor"], "share rm /m", 1),
        (&["get", "9"], "version", 12),
    ] {
        let told = told(verb, code);
        assert!(told.contains(&format!("peerctl --socket {socket} {command}")), "{verb:?}: {told}");
    }
    // What others call their files stays as it is, and so does what a program reads.
    assert!(told(&["downloads"], 0).contains("how to (peerctl stop)"));
    let document = daemon.peerctl(&["--socket", socket, "downloads", "--json"]).exits(0).stdout;
    assert!(document.contains(reason), "{document}");
}

#[test]
fn a_verb_that_why_names_is_told_with_the_download() {
    let paused = why("paused", "it goes on when you say so: peerctl resume");
    let waiting = why("waiting", "it is asked again");
    let daemon = FakeDaemon::start().answers("GET /v1/downloads/3/why", 200, paused).answers(
        "GET /v1/downloads/3/why",
        200,
        waiting,
    );
    assert!(daemon.peerctl(&["why", "3"]).exits(0).stdout.contains("say so: peerctl resume 3\n"));
    assert!(daemon.peerctl(&["why", "3"]).exits(0).stdout.contains("it is asked again\n"));
}

#[test]
fn one_of_several_that_can_not_be_changed_is_named_and_keeps_no_other_from_it() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads/3/pause", 200, downloads(&[download("3", "paused", None)]))
        .problem("POST /v1/downloads/8/pause", Code::StateWrong)
        .problem("POST /v1/downloads/9/pause", Code::DownloadUnknown);
    let ran = daemon.peerctl(&["pause", "9", "8", "3"]).exits(4).prints("");
    let ran = ran.says("9: there is no such download; for the list: peerctl downloads\n8: ");
    ran.says("\nsong.mp3: paused\n");
    let document = daemon.peerctl(&["pause", "8", "3", "--json"]).exits(5).stdout;
    assert_eq!(
        serde_json::from_str::<Value>(&document).unwrap()["downloads"].as_array().map(Vec::len),
        Some(1)
    );
    daemon.peerctl(&["pause", "8"]).exits(5).prints("");
}

fn username_at_start(username: &Value) -> Value {
    let setting = json!({
        "name": "username", "value": username, "origin": "default", "settable": true, "at_next_start": null,
    });
    json!({ "schema": 1, "file": null, "settings": [setting] })
}

#[test]
fn whoever_connects_by_hand_hears_how_to_stay_it() {
    let connected = |username: Value| {
        let daemon = FakeDaemon::start().answers("PUT /v1/connection", 200, status("alice")).answers(
            "GET /v1/config",
            200,
            username_at_start(&username),
        );
        let lines = Terminal::run(&daemon.command(&["connect", "alice"]), 80).exits(0);
        // A script has no use for it.
        assert_eq!(daemon.peerctl(&["connect", "alice"]).exits(0).stderr, "");
        lines
    };
    let hint = "to be alice from each start on: peerctl config set username alice";
    assert_eq!(connected(Value::Null), ["connected as alice", hint]);
    assert_eq!(connected(json!("bob")), ["connected as alice", hint]);
    assert_eq!(connected(json!("alice")), ["connected as alice"]);
}

#[test]
fn who_shares_all_that_they_have_is_asked_and_a_script_is_told() {
    let shares = json!({ "schema": 1, "scanning": false, "shares": [] });
    let daemon = FakeDaemon::start().answers("POST /v1/shares", 201, shares);
    let home = daemon.folder();
    let home = home.to_str().unwrap();
    let mut terminal = Terminal::run(&daemon.command(&["share", "add", home]), 200);
    terminal.shows("is your home folder, or holds it");
    terminal.types(&format!("n{ENTER}"));
    assert_eq!(terminal.exits(0).last().unwrap(), &format!("not shared: {home}"));
    assert_eq!(daemon.asked(), []);
    daemon.peerctl(&["share", "add", home]).exits(0).says("is your home folder").says("shared: ");
    let inside = daemon.folder().join("music");
    std::fs::create_dir(&inside).unwrap();
    let ran = daemon.peerctl(&["share", "add", inside.to_str().unwrap()]).exits(0);
    assert!(!ran.stderr.contains("home"), "{ran:?}");
}

#[test]
fn who_fetches_what_they_have_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.mp3");
    std::fs::write(&path, "la").unwrap();
    let earlier = |state: &str| {
        let mut earlier = download("3", state, None);
        earlier["path"] = json!(path);
        earlier
    };
    let again = download("8", "queued", None);
    let told = |earlier: Value| {
        let daemon = FakeDaemon::start()
            .answers("POST /v1/downloads", 201, downloads(std::slice::from_ref(&again)))
            .answers("GET /v1/downloads", 200, downloads(&[earlier, again.clone()]));
        Terminal::run(&daemon.command(&["get", "1", "--detach"]), 200).exits(0)
    };
    let begun = "8       song.mp3".to_owned();
    let has =
        format!("song.mp3: you have it already, in {}; to have it once: peerctl cancel 8", path.display());
    assert_eq!(told(earlier("finished")), [has, begun.clone()]);
    let has = "song.mp3: it is fetched already, as 3; to have it once: peerctl cancel 8".to_owned();
    assert_eq!(told(earlier("waiting")), [has, begun.clone()]);
    for gone in ["cancelled", "failed"] {
        assert_eq!(told(earlier(gone)), [begun.as_str()]);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(told(earlier("finished")), [begun]);
}
