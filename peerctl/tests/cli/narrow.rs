//! What a person sees on a terminal of the usual 80 columns: sentences go on in their column, and the reason why
//! something does not go on is there to be read.

use serde_json::json;

use crate::{
    fake_daemon::{FakeDaemon, download, downloads, status},
    terminal::Terminal,
};

const COLUMNS: u16 = 80;
const REASON: &str = "the coordinator can't be reached: Connection refused";

fn shown(daemon: &FakeDaemon, arguments: &[&str], code: i32) -> Vec<String> {
    Terminal::run(&daemon.command(arguments), COLUMNS).exits(code)
}

fn held_up() -> FakeDaemon {
    let mut waiting = download("3", "waiting", None);
    waiting["reason"] = json!(REASON);
    FakeDaemon::start().answers("GET /v1/downloads", 200, downloads(&[waiting.clone()])).answers(
        "GET /v1/downloads/3",
        200,
        downloads(&[waiting]),
    )
}

#[test]
fn what_the_doctor_says_stays_in_its_column() {
    let finding = "whether others reach port 4821 can't be told from here: no peer has come in on it";
    let check = json!({ "name": "download_port", "verdict": "unknown", "finding": finding, "remedy": null });
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, status("alice")).answers(
        "GET /v1/doctor",
        200,
        json!({ "schema": 1, "checks": [check] }),
    );
    let lines = shown(&daemon, &["doctor"], 0);
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "unknown  download port  whether others reach port 4821 can't be told from here:",
            "                        no peer has come in on it",
        ]
    );
}

#[test]
fn a_list_tells_a_person_why_a_download_does_not_go_on_and_a_script_reads_it_in_the_document() {
    let daemon = held_up();
    assert_eq!(
        shown(&daemon, &["downloads"], 0),
        [
            "ID  STATE    DONE    SIZE  SPEED  FROM  NAME",
            "3   waiting   50%  1000 B         bob   song.mp3",
            "                                        -> the coordinator can't be reached:",
            "                                        Connection refused",
        ]
    );
    assert_eq!(daemon.peerctl(&["downloads"]).exits(0).stdout.lines().count(), 2);
}

#[test]
fn the_line_of_a_download_that_waits_has_room_for_the_reason() {
    let daemon = held_up();
    let terminal = Terminal::run(&daemon.command(&["wait", "3", "--timeout", "0"]), COLUMNS);
    let line = terminal.shows("waiting").remove(0);
    assert_eq!(line, "song.mp3             waiting: the coordinator can't be reached: Connection ref…");
    terminal.exits(6);
}

#[test]
fn a_note_is_broken_between_words_and_its_command_is_whole() {
    let nobody_blocked =
        FakeDaemon::start().answers("GET /v1/blocks", 200, json!({ "schema": 1, "blocks": [] }));
    let lines = Terminal::run(&nobody_blocked.command(&["block", "ls"]), 40).exits(0);
    assert_eq!(lines, ["nobody is blocked; to block somebody:", "peerctl block add USERNAME"]);
}

#[test]
fn a_long_name_leaves_the_columns_of_a_table_as_they_are() {
    let mut long = download("3", "finished", None);
    long["name"] = json!("Some_Artist_-_Some_Very_Long_Album_Title_-_2019_-_Remastered.flac");
    let daemon = FakeDaemon::start().answers("GET /v1/downloads", 200, downloads(&[long]));
    assert_eq!(
        shown(&daemon, &["downloads"], 0),
        [
            "ID  STATE     DONE    SIZE  SPEED  FROM  NAME",
            "3   finished   50%  1000 B         bob   Some_Artist_-_Some_Very_Long_Album_Titl",
            "                                         e_-_2019_-_Remastered.flac",
        ]
    );
    let piped = daemon.peerctl(&["downloads"]).exits(0).stdout;
    assert!(piped.contains("Title_-_2019_-_Remastered.flac\n"), "{piped}");
}

#[test]
fn the_help_is_broken_nowhere_but_between_its_lines() {
    let lines = shown(&FakeDaemon::absent(), &["--help"], 0);
    let at = lines.iter().position(|line| line.starts_with("Exit codes:")).unwrap();
    assert_eq!(lines[at..].len(), 4, "{lines:#?}");
}
