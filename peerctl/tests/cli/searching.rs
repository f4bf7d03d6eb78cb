//! `peerctl search`: in a pipe, on a terminal, with a choice at its end, and standing.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::{
    fake_daemon::{FakeDaemon, Ran, download, downloads, result, search},
    terminal::{CTRL_C, ENTER, ESC, Terminal},
};

/// What the picker shows once it listens.
const PICKER: &str = "leaves): |";

#[test]
fn a_search_gathers_what_comes_and_prints_it_in_fields() {
    let (first, second) = (result(1, "substring", "a song.mp3"), result(2, "exact", "song.mp3"));
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(false, &[]))
        .answers("GET /v1/searches/7", 200, search(false, std::slice::from_ref(&first)))
        .answers("GET /v1/searches/7", 200, search(true, &[second, first]));
    daemon
        .peerctl(&["search", "a", "song"])
        .exits(0)
        .prints("2\texact\t1536\tbob\tsong.mp3\n1\tsubstring\t1536\tbob\ta song.mp3\n");
    let asked = daemon.asked();
    assert_eq!(asked[0].body, json!({ "query": "a song" }));
    assert_eq!(asked[1].line, "GET /v1/searches/7?known=0&wait=2");
    assert_eq!(asked[2].line, "GET /v1/searches/7?known=1&wait=2");
}

#[test]
fn a_stream_of_results_has_each_once_in_order_of_arrival() {
    let (first, second, third) = (
        result(1, "substring", "a song.mp3"),
        result(2, "substring", "songs.mp3"),
        result(3, "exact", "song.mp3"),
    );
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(false, std::slice::from_ref(&first)))
        .answers("GET /v1/searches/7", 200, search(true, &[third, first, second]));
    let ran = daemon.peerctl(&["search", "song", "--ndjson"]).exits(0);
    let numbers: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].clone())
        .collect();
    assert_eq!(numbers, [json!(1), json!(2), json!(3)]);
}

#[test]
fn a_search_that_falls_silent_ends() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(false, &[result(1, "exact", "song.mp3")]))
        .answers("GET /v1/searches/7", 200, search(false, &[result(1, "exact", "song.mp3")]));
    let ran = daemon.peerctl(&["search", "song", "--wait", "1", "--json"]).exits(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["finished"], json!(false));
}

#[test]
fn finding_nothing_exits_with_4() {
    let daemon = FakeDaemon::start().answers("POST /v1/searches", 201, search(true, &[]));
    daemon.peerctl(&["search", "song"]).exits(4).prints("").says("nothing found");
    daemon.peerctl(&["search", "song", "--json"]).exits(4).prints(&format!("{}\n", search(true, &[])));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let many: Vec<_> = (1..=5_000).map(|number| result(number, "exact", "song.mp3")).collect();
    let daemon = FakeDaemon::start().answers("POST /v1/searches", 201, search(true, &many));
    let mut peerctl = daemon.spawn(&["search", "song"]);
    let mut stdout = peerctl.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let ran = Ran::of(peerctl.wait_with_output().unwrap()).exits(0);
    assert_eq!(ran.stderr, "");
}

/// The same file as another result, at somebody else.
fn elsewhere(number: u32, class: &str, username: &str, name: &str) -> Value {
    let mut elsewhere = result(number, class, name);
    elsewhere["username"] = json!(username);
    elsewhere
}

/// Another file.
fn other(number: u32, class: &str, name: &str, root: &str) -> Value {
    let mut other = result(number, class, name);
    (other["root"], other["size"]) = (json!(root.repeat(32)), json!(3 << 20));
    other
}

#[test]
fn a_terminal_shows_a_row_a_file_and_lines_up_names_of_all_scripts() {
    let results = [
        elsewhere(3, "exact", "田中さん", "歌.mp3"),
        elsewhere(1, "substring", "bob", "another 歌.mp3"),
        other(2, "substring", "שיר 歌.mp3", "cd"),
        elsewhere(4, "substring", "שרה", "歌 2.mp3"),
        other(5, "substring", "歌 3.mp3", "ef"),
    ];
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(false, &results[1..2]))
        .answers("GET /v1/searches/7", 200, search(true, &results));
    let terminal = Terminal::run(&daemon.command(&["search", "song"]), 80);
    assert_eq!(
        terminal.exits(0),
        [
            "NUMBER  MATCH         SIZE  SOURCES  FROM      NAME",
            "     3  exact      1.5 KiB        3  田中さん  歌.mp3",
            "     2  substring  3.0 MiB        1  bob       שיר 歌.mp3",
            "     5  substring  3.0 MiB        1  bob       歌 3.mp3",
            "to fetch: peerctl get NUMBER, or choose with: peerctl search --pick QUERY",
        ]
    );
}

#[test]
fn results_are_painted_while_more_come() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(false, &[result(1, "substring", "a song.mp3")]))
        .answers("GET /v1/searches/7", 200, search(false, &[result(1, "substring", "a song.mp3")]));
    let mut terminal = Terminal::run(&daemon.command(&["search", "song", "--wait", "600"]), 80);
    let lines = terminal.shows("a song.mp3");
    assert_eq!(lines[..2], ["1 file so far", "NUMBER  MATCH         SIZE  SOURCES  FROM  NAME"]);
    terminal.types(CTRL_C);
    terminal.ends_by_the_signal();
}

fn found_two() -> FakeDaemon {
    let results = [result(2, "exact", "song.mp3"), other(1, "substring", "song (live).mp3", "cd")];
    FakeDaemon::start().answers("POST /v1/searches", 201, search(true, &results))
}

#[test]
fn a_person_picks_by_typing_and_gets_what_was_picked() {
    let mut finished = download("3", "finished", None);
    finished["received"] = json!(1000);
    let daemon = found_two()
        .answers("POST /v1/downloads", 201, downloads(&[download("3", "queued", None)]))
        .answers("GET /v1/downloads/3", 200, downloads(&[finished]));
    let mut terminal = Terminal::run(&daemon.command(&["search", "--pick", "song"]), 80);
    terminal.shows(PICKER);
    terminal.types("live");
    terminal.shows("leaves): live|");
    terminal.types(ENTER);
    terminal.shows(">   Fetch the 1 chosen file");
    terminal.types(ENTER);
    let last = terminal.exits(0);
    assert_eq!(last.last().unwrap(), "/d/song.mp3", "{last:#?}");
    assert_eq!(daemon.asked()[1].body, json!({ "targets": ["7.1"] }));
}

#[test]
fn esc_and_ctrl_c_leave_the_choice_and_fetch_nothing() {
    for (key, code, words) in [(ESC, 0, "nothing is fetched"), (CTRL_C, 130, "given up")] {
        let daemon = found_two();
        let mut terminal = Terminal::run(&daemon.command(&["search", "--pick", "song"]), 80);
        // The names are on the screen before the picker listens.
        terminal.shows(PICKER);
        terminal.types(key);
        terminal.shows(words);
        assert!(!terminal.hides_its_cursor());
        terminal.exits(code);
        assert_eq!(daemon.asked().len(), 1);
    }
}

#[test]
fn there_is_no_choice_where_nobody_can_be_asked() {
    let daemon = found_two();
    daemon.peerctl(&["search", "--pick", "song"]).exits(2).prints("").says("peerctl get NUMBER");
    daemon.peerctl(&["search", "--pick", "--json", "song"]).exits(2);
}

#[test]
fn a_standing_search_tells_what_is_new_under_its_own_number() {
    let (first, second) = (result(1, "substring", "a song.mp3"), result(2, "exact", "song.mp3"));
    let daemon = FakeDaemon::start()
        .answers("POST /v1/searches", 201, search(true, std::slice::from_ref(&first)))
        .problem("POST /v1/searches/7", protocol::Code::NotConnected)
        .answers("POST /v1/searches/7", 200, search(true, &[second, first]));
    let run = |more: &'static str| {
        let peerctl = daemon.spawn(&["search", "--watch", "--every", "5", more, "song"]);
        std::thread::spawn(move || {
            let mut peerctl = peerctl;
            let mut stdout = std::io::BufReader::new(peerctl.stdout.take().unwrap());
            let mut lines = [String::new(), String::new()];
            for line in &mut lines {
                std::io::BufRead::read_line(&mut stdout, line).unwrap();
            }
            let pid = rustix::process::Pid::from_child(&peerctl);
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
            (lines, Ran::of(peerctl.wait_with_output().unwrap()).exits(0))
        })
    };
    let (rows, documents) = (run("--wait=2"), run("--ndjson"));
    let (rows, ran) = rows.join().unwrap();
    assert_eq!(rows, ["7.1\tsubstring\t1536\tbob\ta song.mp3\n", "7.2\texact\t1536\tbob\tsong.mp3\n"]);
    ran.says("the search is over");
    let (documents, _) = documents.join().unwrap();
    let numbers = documents.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    assert_eq!(
        numbers.map(|result| (result["search"].clone(), result["number"].clone())),
        [(json!("7"), json!(1)), (json!("7"), json!(2)),]
    );
    // Both met the coordinator away, or one of them: either way the search stood.
    assert!(daemon.asked().iter().filter(|asked| asked.line == "POST /v1/searches/7").count() >= 3);
}
