//! Transfers while one looks on: in a terminal, in a pipe, and as documents.

use serde_json::{Value, json};

use crate::{
    fake_daemon::{FakeDaemon, Ran, download, downloads, upload, uploads},
    terminal::{CTRL_C, Terminal},
};

fn interrupt(peerctl: std::process::Child) -> Ran {
    let pid = rustix::process::Pid::from_child(&peerctl);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    Ran::of(peerctl.wait_with_output().unwrap())
}

/// Until so many calls have come in.
fn wait_for_calls(daemon: &FakeDaemon, calls: usize) {
    while daemon.asked().len() < calls {
        std::thread::yield_now();
    }
}

fn moving(id: &str, name: &str) -> Value {
    let mut moving = download(id, "transferring", None);
    (moving["name"], moving["bytes_per_second"], moving["eta_seconds"]) =
        (json!(name), json!(2048), json!(7));
    moving
}

fn finished(id: &str) -> Value {
    let mut finished = download(id, "finished", None);
    finished["received"] = json!(1000);
    finished
}

fn waiting(id: &str, name: &str) -> Value {
    let mut waiting = download(id, "waiting", None);
    (waiting["name"], waiting["position"], waiting["reason"]) =
        (json!(name), json!(2), json!("the source is busy"));
    waiting
}

#[test]
fn a_terminal_has_a_line_for_each_that_is_under_way_and_keeps_those_that_end_above() {
    let daemon = FakeDaemon::start()
        .answers(
            "GET /v1/downloads",
            200,
            downloads(&[
                finished("1"),
                moving("2", "song.mp3"),
                waiting("3", "שיר אהבה.mp3"),
                moving("4", "田中さんの歌です.mp3"),
            ]),
        )
        .answers(
            "GET /v1/downloads",
            200,
            downloads(&[
                finished("1"),
                finished("2"),
                waiting("3", "שיר אהבה.mp3"),
                moving("4", "田中さんの歌です.mp3"),
                finished("5"),
            ]),
        );
    let mut terminal = Terminal::run(&daemon.command(&["downloads", "--watch"]), 73);
    // The first is of before, the fifth came and went between two looks.
    let ended = "song.mp3            [==========]  1000 B done  from bob";
    let expected = [
        ended,
        ended,
        "שיר אהבה.mp3\u{200e}        waiting, place 2: the source is busy  50%  1000 B",
        "田中さんの歌です.…  [=====>    ]  50%  1000 B   2.0 KiB/s   0:07",
    ];
    terminal.shows(&expected.join("\n"));
    terminal.types(CTRL_C);
    let goes_on = "downloads go on; to look again: peerctl downloads --watch";
    assert_eq!(terminal.exits(0), [&expected[..], &[goes_on]].concat());
    assert!(daemon.asked().iter().all(|asked| asked.line == "GET /v1/downloads"));
}

#[test]
fn a_pipe_gets_a_line_for_each_change_of_state_and_nothing_that_moves() {
    let queued = {
        let mut queued = upload("b", "queued");
        (queued["position"], queued["reason"]) = (json!(1), json!("the upload slot is taken"));
        queued
    };
    let daemon = FakeDaemon::start()
        .answers("GET /v1/uploads", 200, uploads(&[upload("a", "transferring"), queued]))
        .answers("GET /v1/uploads", 200, uploads(&[upload("b", "transferring"), upload("a", "finished")]))
        // The same requester again, with the same id: the ended one stays listed.
        .answers(
            "GET /v1/uploads",
            200,
            uploads(&[upload("a", "dialling"), upload("b", "finished"), upload("a", "finished")]),
        );
    let peerctl = daemon.spawn(&["uploads", "--watch"]);
    wait_for_calls(&daemon, 5);
    let ran = interrupt(peerctl).exits(0).prints("");
    assert_eq!(
        ran.stderr,
        "song.mp3: transferring\nsong.mp3: queued, place 1: the upload slot is taken\n\
         song.mp3: transferring\nsong.mp3: finished\nsong.mp3: dialling\nsong.mp3: finished\n\
         uploads go on; to look again: peerctl uploads --watch\n"
    );
}

#[test]
fn a_program_gets_what_has_changed_in_documents_of_the_lists_shape() {
    let mut more = moving("2", "song.mp3");
    (more["received"], more["of_a_later_version"]) = (json!(600), json!(true));
    let first = downloads(&[download("1", "finished", None), moving("2", "song.mp3")]);
    let daemon = FakeDaemon::start()
        .answers("GET /v1/downloads", 200, first.clone())
        .answers("GET /v1/downloads", 200, first.clone())
        .answers("GET /v1/downloads", 200, downloads(&[download("1", "finished", None), more.clone()]));
    let peerctl = daemon.spawn(&["downloads", "--watch", "--ndjson"]);
    wait_for_calls(&daemon, 5);
    let ran = interrupt(peerctl).exits(0);
    let documents: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents, [first, downloads(&[more])]);
}

#[test]
fn watching_ends_with_the_daemon_and_one_document_is_no_stream() {
    let daemon = FakeDaemon::start()
        .answers("GET /v1/downloads", 200, downloads(&[]))
        .problem("GET /v1/downloads", protocol::Code::Internal);
    daemon.peerctl(&["downloads", "--watch"]).exits(1).prints("").says("no downloads are under way");
    daemon.peerctl(&["downloads", "--watch", "--json"]).exits(2);
    FakeDaemon::absent().peerctl(&["uploads", "--watch"]).exits(3);
}

#[test]
fn get_shows_its_progress_in_the_same_lines_and_as_documents() {
    let daemon = FakeDaemon::start()
        .answers("POST /v1/downloads", 201, downloads(&[download("2", "queued", None)]))
        .answers("GET /v1/downloads/2", 200, downloads(&[moving("2", "song.mp3")]));
    let mut terminal = Terminal::run(&daemon.command(&["get", "1"]), 81);
    assert_eq!(
        terminal.shows("from bob"),
        ["song.mp3              [=====>    ]  50%  1000 B   2.0 KiB/s   0:07  from bob"]
    );
    terminal.types(CTRL_C);
    let last = terminal.exits(130).join("\n");
    assert!(
        last.contains("the download goes on in the background; to wait for it: peerctl wait 2"),
        "{last}"
    );

    let daemon = FakeDaemon::start()
        .answers("GET /v1/downloads/2", 200, downloads(&[moving("2", "song.mp3")]))
        .answers("GET /v1/downloads/2", 200, downloads(&[moving("2", "song.mp3")]))
        .answers("GET /v1/downloads/2", 200, downloads(&[download("2", "finished", None)]));
    let documents = [downloads(&[moving("2", "song.mp3")]), downloads(&[download("2", "finished", None)])];
    let lines = documents.map(|document| format!("{document}\n")).concat();
    daemon.peerctl(&["wait", "2", "--ndjson"]).exits(0).prints(&lines);
}
