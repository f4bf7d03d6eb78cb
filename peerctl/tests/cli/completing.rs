//! Completion of what only the daemon knows: what the shell is told, and what bash makes of it.

use std::process::{Command, Stdio};

use protocol::Code;
use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, Ran, download, downloads};

fn daemon() -> FakeDaemon {
    let setting = |name: &str, settable: bool| json!({ "name": name, "value": "x", "origin": "default", "settable": settable, "at_next_start": null });
    let settings = [setting("policy", true), setting("state_dir", false)];
    let share =
        |path: &str| json!({ "path": path, "origin": "run_time", "files": 2, "bytes": 9, "problem": null });
    FakeDaemon::start()
        .answers(
            "GET /v1/downloads",
            200,
            downloads(&[
                download("3", "transferring", None),
                download("14", "paused", None),
                download("15", "finished", None),
            ]),
        )
        .answers(
            "GET /v1/shares",
            200,
            json!({ "schema": 1, "scanning": false, "shares": [share("/a b"), share("/c")] }),
        )
        .answers("GET /v1/config", 200, json!({ "schema": 1, "file": Value::Null, "settings": settings }))
        .problem("GET /v1/blocks", Code::Internal)
}

#[test]
fn a_shell_is_told_what_fits_the_verb_and_is_not_there_yet() {
    let daemon = daemon();
    let told = |words: &[&str]| {
        daemon.peerctl(&[&["complete-values", "--"], words].concat()).exits(0).says("").stdout
    };
    assert_eq!(told(&["pause"]), "3\tsong.mp3, transferring\n");
    assert_eq!(told(&["why"]).lines().count(), 3);
    assert_eq!(told(&["--json", "wait", "--timeout", "5", "3"]), "14\tsong.mp3, paused\n");
    assert_eq!(told(&["share", "rm"]), "/a b\t2 files\n/c\t2 files\n");
    assert_eq!(told(&["config", "unset"]), "policy\tx\n");
    for nothing in [&["block", "rm"][..], &["search"], &["share", "add"], &["nonsense"], &[]] {
        assert_eq!(told(nothing), "", "{nothing:?}");
    }
    FakeDaemon::absent().peerctl(&["complete-values", "--", "pause"]).exits(0).prints("").says("");
}

#[test]
fn who_names_the_daemon_in_the_words_means_that_one() {
    let (daemon, other) = (daemon(), FakeDaemon::absent());
    let socket = daemon.socket();
    let words = ["complete-values", "--", "--socket", socket.to_str().unwrap(), "pause"];
    other.peerctl(&words).exits(0).prints("3\tsong.mp3, transferring\n");
}

/// What bash offers at the end of these words.
fn offered(daemon: &FakeDaemon, words: &str) -> Vec<String> {
    let peerctl = std::path::Path::new(env!("CARGO_BIN_EXE_peerctl"));
    let script = format!(
        "eval \"$(peerctl completions bash)\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         _peerctl_values peerctl \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    );
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "-c", &script]).env_clear().env("HEARSAY_SOCKET", daemon.socket());
    bash.env("PATH", format!("{}:/usr/bin:/bin", peerctl.parent().unwrap().display()));
    let ran = Ran::of(bash.stdin(Stdio::null()).output().unwrap()).exits(0);
    assert_eq!(ran.stderr, "");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_the_daemons_values_and_all_else_as_before() {
    let daemon = daemon();
    assert_eq!(offered(&daemon, "peerctl why ''"), ["3", "14", "15"]);
    assert_eq!(offered(&daemon, "peerctl why 1"), ["14", "15"]);
    assert_eq!(offered(&daemon, "peerctl share rm ''"), ["/a\\ b", "/c"]);
    assert_eq!(offered(&daemon, "peerctl pau"), ["pause"]);
    assert!(offered(&daemon, "peerctl pause --").contains(&"--all".to_owned()));
    assert!(offered(&FakeDaemon::absent(), "peerctl pause --").contains(&"--all".to_owned()));
}
