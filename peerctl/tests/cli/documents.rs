//! `--json` and `--ndjson` of every verb, held to `docs/schemas/` and to the types that the daemon answers with.

use std::{collections::BTreeSet, path::PathBuf};

use protocol::control::{
    Blocks, Configuration, Downloads, FileLink, GuiLogin, IncomingRequests, Search, SharePreview, Shares,
    Status, Uploads, Why, doctor::Examination,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    fake_daemon::{FakeDaemon, download, downloads, result, search, status, upload, uploads},
    schema::assert_valid,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas")
}

fn schema(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// As the daemon of this version would write it: a field that the type has and the schema has not shows.
fn typed<T: DeserializeOwned + Serialize>(document: Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(document).unwrap()).unwrap()
}

/// Answers all calls, each with a document that has something in it.
fn daemon() -> FakeDaemon {
    let root = "ab".repeat(32);
    let running = || typed::<Downloads>(downloads(&[download("3", "failed", Some("no_space"))]));
    let finished = || typed::<Downloads>(downloads(&[download("3", "finished", None)]));
    let mut status = status("alice");
    (status["download"], status["upload"]) =
        (download("3", "transferring", None), upload("a", "transferring"));
    let status = typed::<Status>(status);
    let requests = json!({ "schema": 1, "requests": [
        { "id": "5f", "username": "bob", "files": [{ "name": "a", "size": 1, "root": root }] },
    ] });
    let requests = typed::<IncomingRequests>(requests);
    let shares = typed::<Shares>(json!({ "schema": 1, "scanning": false, "shares": [
        { "path": "/m", "origin": "run_time", "files": 2, "bytes": 2048, "problem": "it is gone",
          "folders": true, "whole_folders": 2, "too_large_folders": 1 },
    ] }));
    let preview = typed::<SharePreview>(json!({
        "schema": 1, "path": "/m", "files": 1, "bytes": 1, "first": [{ "name": "a", "size": 1 }], "hidden": 0,
        "links": 0, "others": 0, "unreadable": 0, "beyond_limits": 0, "folders": true, "whole_folders": 1,
        "too_large_folders": 1,
    }));
    let link = json!({ "schema": 1, "link": "hearsay:?x", "name": "a", "size": 1, "root": root,
        "folder": { "files": 1, "bytes": 1 } });
    let configuration = typed::<Configuration>(json!({ "schema": 1, "file": "/f", "settings": [{
        "name": "username", "value": "alice", "origin": "flag", "settable": true,
        "at_next_start": { "value": "bob", "origin": "run_time" },
    }] }));
    let blocks = typed::<Blocks>(json!({ "schema": 1, "blocks": [{ "username": "mallory" }] }));
    let step = json!({
        "at": "2026-01-02T03:04:05Z", "state": "failed", "step": "added", "sentence": "it was added", "username": "bob",
        "lasted_milliseconds": 5,
    });
    let why = typed::<Why>(json!({
        "schema": 1, "download": download("3", "failed", Some("other")), "steps": [step],
        "next": { "what": "it is tried again", "at": "2026-01-02T03:04:05Z" },
    }));
    let check = json!({ "name": "swap", "verdict": "warning", "finding": "on", "remedy": "off" });
    let examination = typed::<Examination>(json!({ "schema": 1, "checks": [check] }));
    let found = typed::<Search>(search(true, &[result(1, "exact", "song.mp3")]));
    FakeDaemon::start()
        .answers("GET /v1/status", 200, status.clone())
        .answers("PUT /v1/connection", 200, status.clone())
        .answers("DELETE /v1/connection", 200, status)
        .answers("POST /v1/searches", 201, found)
        .answers("GET /v1/downloads", 200, running())
        .answers("POST /v1/downloads", 201, running())
        .answers("GET /v1/downloads/3", 200, finished())
        .answers("GET /v1/downloads/3/why", 200, why)
        .answers("POST /v1/downloads/3/pause", 200, running())
        .answers("POST /v1/downloads/3/resume", 200, running())
        .answers("POST /v1/downloads/3/retry", 200, running())
        .answers("POST /v1/downloads/3/cancel", 200, running())
        .answers("DELETE /v1/downloads/3", 200, running())
        .answers("GET /v1/uploads", 200, typed::<Uploads>(uploads(&[upload("a", "queued")])))
        .answers("GET /v1/requests", 200, requests.clone())
        .answers("POST /v1/requests/5f/accept", 200, requests.clone())
        .answers("POST /v1/requests/5f/decline", 200, requests)
        .answers("GET /v1/shares", 200, shares.clone())
        .answers("POST /v1/shares", 201, shares.clone())
        .answers("DELETE /v1/shares", 200, shares.clone())
        .answers("POST /v1/shares/rescan", 200, shares)
        .answers("POST /v1/shares/preview", 200, preview)
        .answers("GET /v1/link", 200, typed::<FileLink>(link))
        .answers("GET /v1/config", 200, configuration.clone())
        .answers("PUT /v1/config/username", 200, configuration.clone())
        .answers("DELETE /v1/config/username", 200, configuration)
        .answers("GET /v1/blocks", 200, blocks.clone())
        .answers("POST /v1/blocks", 201, blocks.clone())
        .answers("DELETE /v1/blocks", 200, blocks)
        .answers("GET /v1/doctor", 200, examination)
        .answers("POST /v1/gui/login", 200, typed::<GuiLogin>(json!({ "schema": 1, "url": "http://x/#a" })))
}

/// Each verb with the schema of its document and its exit code.
const VERBS: &[(&[&str], &str, i32)] = &[
    (&["status"], "status", 0),
    (&["start"], "status", 0),
    (&["connect", "alice"], "status", 0),
    (&["disconnect"], "status", 0),
    (&["search", "song"], "search", 0),
    (&["get", "1"], "downloads", 0),
    (&["get", "1", "--detach"], "downloads", 0),
    (&["wait", "3"], "downloads", 0),
    (&["downloads"], "downloads", 0),
    (&["show", "3"], "downloads", 0),
    (&["why", "3"], "why", 0),
    (&["pause", "3"], "downloads", 0),
    (&["resume", "3"], "downloads", 0),
    (&["retry", "3"], "downloads", 0),
    (&["cancel", "3"], "downloads", 0),
    (&["rm", "3"], "downloads", 0),
    (&["uploads"], "uploads", 0),
    (&["requests"], "requests", 0),
    (&["accept", "5f"], "requests", 0),
    (&["decline", "5f"], "requests", 0),
    (&["share", "ls"], "shares", 0),
    (&["share", "add", "/m"], "shares", 0),
    (&["share", "add", "/m", "--folders"], "shares", 0),
    (&["share", "rm", "/m"], "shares", 0),
    (&["share", "rescan"], "shares", 0),
    (&["share", "preview", "/m"], "share-preview", 0),
    (&["link", "/m/a"], "link", 0),
    (&["block", "ls"], "blocks", 0),
    (&["block", "add", "mallory"], "blocks", 0),
    (&["block", "rm", "mallory"], "blocks", 0),
    (&["config", "show"], "configuration", 0),
    (&["config", "set", "username", "bob"], "configuration", 0),
    (&["config", "unset", "username"], "configuration", 0),
    (&["config", "path"], "config-path", 0),
    (&["doctor"], "doctor", 1),
    (&["gui"], "gui", 0),
    (&["version"], "version", 0),
    (&["logs"], "logs", 0),
];

#[test]
fn every_verbs_document_is_as_its_schema_says_in_one_piece_and_by_the_line() {
    let daemon = daemon();
    let state = daemon.folder().join(".local/state/hearsay");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("daemon.log"), "one\n").unwrap();
    for (arguments, name, code) in VERBS {
        let whole = daemon.peerctl(&[arguments, &["--json"][..]].concat()).exits(*code);
        assert_valid(&serde_json::from_str(&whole.stdout).expect(name), &schema(name));
        let lines = daemon.peerctl(&[arguments, &["--ndjson"][..]].concat()).exits(*code).stdout;
        let name = if *name == "search" { "search-result" } else { name };
        assert!(!lines.is_empty(), "{arguments:?} has no document");
        for line in lines.lines() {
            assert_valid(&serde_json::from_str(line).expect(name), &schema(name));
        }
    }
}

#[test]
fn stopping_has_its_document() {
    let daemon = FakeDaemon::start().answers("POST /v1/shutdown", 202, Value::Null);
    let peerctl = daemon.spawn(&["stop", "--json"]);
    while daemon.asked().is_empty() {
        std::thread::yield_now();
    }
    let _gone = std::fs::remove_file(daemon.socket());
    let stdout = String::from_utf8(peerctl.wait_with_output().unwrap().stdout).unwrap();
    assert_valid(&serde_json::from_str(&stdout).unwrap(), &schema("stop"));
}

#[test]
fn every_verb_and_every_schema_is_looked_at() {
    // These print no document: a shell's script, a terminal's questions. Those of `stop` (above) and `restart` (end to
    // end, for it starts a real daemon) are looked at by themselves.
    let without = ["completions", "setup", "help", "stop", "restart"];
    let help = FakeDaemon::absent().peerctl(&["--help"]).exits(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for verb in commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
        let is_seen = VERBS.iter().any(|(arguments, ..)| arguments[0] == verb);
        assert!(verb.is_empty() || is_seen || without.contains(&verb), "{verb} has no schema");
    }
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let described: BTreeSet<String> =
        files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let used = VERBS.iter().map(|(_, name, _)| (*name).to_owned());
    let used: BTreeSet<String> = used.chain(["stop".to_owned(), "search-result".to_owned()]).collect();
    assert_eq!(described, used);
}

/// One way to each exit code that a verb can have; `cli` and `error` have the others.
#[test]
fn with_documents_the_exit_codes_are_the_same_and_nothing_else_is_printed() {
    use protocol::Code;
    for (call, problem, arguments, code) in [
        ("GET /v1/status", Code::Internal, &["status"][..], 1),
        ("PUT /v1/connection", Code::UsernameInvalid, &["connect", "x"], 2),
        ("GET /v1/downloads/3/why", Code::DownloadUnknown, &["why", "3"], 4),
        ("POST /v1/downloads/3/pause", Code::StateWrong, &["pause", "3"], 5),
        ("POST /v1/searches", Code::CoordinatorUnreachable, &["search", "song"], 7),
        ("GET /v1/uploads", Code::CallerRefused, &["uploads"], 10),
        ("POST /v1/searches", Code::RateLimited, &["search", "song"], 11),
        ("GET /v1/blocks", Code::RouteUnknown, &["block", "ls"], 12),
    ] {
        let daemon = FakeDaemon::start().problem(call, problem);
        daemon.peerctl(&[arguments, &["--json"][..]].concat()).exits(code).prints("");
    }
    for (cause, code) in [("source_changed", 8), ("no_space", 9), ("timed_out", 6), ("integrity", 32)] {
        let failed = downloads(&[download("3", "failed", Some(cause))]);
        let daemon = FakeDaemon::start().answers("GET /v1/downloads/3", 200, failed);
        let ran = daemon.peerctl(&["wait", "3", "--json"]).exits(code);
        assert_valid(&serde_json::from_str(&ran.stdout).unwrap(), &schema("downloads"));
    }
    FakeDaemon::absent().peerctl(&["status", "--json"]).exits(3).prints("");
}
