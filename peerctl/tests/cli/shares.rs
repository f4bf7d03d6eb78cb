//! Shares, links and settings: what is asked of the daemon, and what is said.

use protocol::Code;
use serde_json::json;

use crate::fake_daemon::FakeDaemon;

#[test]
fn a_folder_is_named_by_its_whole_path() {
    let shares = json!({ "schema": 1, "scanning": false, "shares": [
        { "path": "/m", "origin": "run_time", "files": 2, "bytes": 2048, "problem": null },
        { "path": "/n", "origin": "file", "files": 0, "bytes": 0, "problem": "the folder is not there" },
    ] });
    let daemon = FakeDaemon::start()
        .answers("POST /v1/shares", 201, shares.clone())
        .answers("DELETE /v1/shares", 200, shares.clone())
        .answers("GET /v1/shares", 200, shares);
    daemon.peerctl(&["share", "add", "/a b"]).exits(0).prints("").says("shared: /a b");
    daemon.peerctl(&["share", "rm", "/ä&b"]).exits(0).prints("");
    let here = std::env::current_dir().unwrap().join("x").display().to_string();
    daemon.peerctl(&["share", "add", "x"]).exits(0).says(&here);
    daemon.peerctl(&["share", "ls"]).exits(0).prints(
        "FILES     SIZE  FROM       FOLDER\n    2  2.0 KiB  share add  /m\n    \
         0      0 B  file       /n (the folder is not there)\n",
    );
    let asked = daemon.asked();
    assert_eq!(asked[0].body, json!({ "path": "/a b" }));
    assert_eq!(asked[1].line, "DELETE /v1/shares?path=%2F%C3%A4%26b");
    assert_eq!(asked[2].body, json!({ "path": here }));
}

#[test]
fn refusals_have_their_exit_codes() {
    let daemon = FakeDaemon::start()
        .problem("POST /v1/shares", Code::ShareInvalid)
        .problem("DELETE /v1/shares", Code::ShareConfigured)
        .problem("GET /v1/link", Code::FileNotShared)
        .problem("POST /v1/downloads", Code::SourceUnknown)
        .problem("PUT /v1/config/colour", Code::SettingUnknown)
        .problem("PUT /v1/config/gui", Code::SettingInvalid);
    let link = format!("hearsay:?root={}&size=1&name=a", "ab".repeat(32));
    for (arguments, code) in [
        (&["share", "add", "/x"][..], 2),
        (&["share", "rm", "/x"], 5),
        (&["link", "/x"], 4),
        (&["get", &link], 4),
        (&["config", "set", "colour", "red"], 4),
        (&["config", "set", "gui", "x"], 2),
        (&["config", "set", "../status", "x"], 2),
    ] {
        daemon.peerctl(arguments).exits(code).prints("");
    }
    assert_eq!(daemon.asked()[3].body, json!({ "targets": [link] }));
}

#[test]
fn the_path_of_the_configuration_file_is_told_without_a_daemon() {
    let daemon = FakeDaemon::absent();
    let file = daemon.folder().join(".config/hearsay/peer-daemon.toml");
    daemon.peerctl(&["config", "path"]).exits(0).prints(&format!("{}\n", file.display()));
    daemon.peerctl(&["config", "show"]).exits(3);
}
