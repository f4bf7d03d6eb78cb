//! Downloads that wait for the disk, or find their name taken there.

use serde_json::{Value, json};

use super::fake_daemon::{FakeDaemon, download, downloads};

fn held(id: &str, cause: &str) -> Value {
    download(id, "paused", Some(cause))
}

#[test]
fn a_download_that_waits_for_the_disk_is_told_and_waited_for() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads", 201, downloads(&[download("3", "queued", None)]))
        .answers("GET /v1/downloads/3", 200, downloads(&[held("3", "no_space")]))
        .answers("GET /v1/downloads/3", 200, downloads(&[download("3", "finished", None)]));
    daemon
        .peerctl(&["get", "1"])
        .exits(0)
        .prints("/d/song.mp3\n")
        .says("song.mp3: paused: told in a sentence\nsong.mp3: finished\n");
}

#[test]
fn what_to_do_where_a_name_is_taken_is_told_to_the_daemon_and_a_skipped_download_exits_with_5() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads", 201, downloads(&[download("3", "failed", Some("name_taken"))]))
        .answers("GET /v1/downloads/3", 200, downloads(&[download("3", "failed", Some("name_taken"))]));
    daemon.peerctl(&["get", "1", "--conflict", "skip"]).exits(5).says("song.mp3: failed: told in a sentence");
    assert_eq!(daemon.asked()[0].body, json!({ "targets": ["1"], "conflict": "skip" }));
    daemon.peerctl(&["get", "1", "--conflict", "merge"]).exits(2);
}

#[test]
fn when_the_time_is_over_the_code_is_that_of_the_disk_only_if_all_wait_for_it() {
    for (cause, code) in [("no_space", 9), ("permission", 10), ("folder_gone", 4)] {
        let daemon = FakeDaemon::start()
            .answers("GET /v1/downloads/3", 200, downloads(&[held("3", cause)]))
            .answers("GET /v1/downloads/4", 200, downloads(&[download("4", "waiting", None)]));
        daemon.peerctl(&["wait", "3", "--timeout", "0"]).exits(code).says("peerctl wait 3");
        daemon.peerctl(&["wait", "3", "4", "--timeout", "0"]).exits(6);
    }
}

#[test]
fn a_pause_by_a_person_is_not_the_disks() {
    let daemon =
        FakeDaemon::start().answers("GET /v1/downloads/3", 200, downloads(&[download("3", "paused", None)]));
    daemon.peerctl(&["wait", "3", "--timeout", "0"]).exits(6);
}
