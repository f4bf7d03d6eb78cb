//! `peerctl why`: the chain of a download's life as a person reads it.

use protocol::Code;
use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, download};

fn step(at: &str, lasted: Option<u64>, state: &str, username: Option<&str>, sentence: &str) -> Value {
    json!({
        "at": format!("2026-03-01T{at}Z"), "state": state, "step": "a_word", "sentence": sentence,
        "username": username, "lasted_milliseconds": lasted, "of_a_later_version": 1,
    })
}

fn why() -> Value {
    let mut waiting = download("3", "waiting", None);
    waiting["reason"] = json!("the source is busy with another upload");
    waiting["position"] = json!(2);
    json!({
        "schema": 1,
        "download": waiting,
        "steps": [
            step("16:02:01.25", Some(40), "queued", Some("bob"), "you asked for it"),
            step("16:02:01.29", Some(1_310), "requesting", Some("田中さん"), "the source is asked"),
            step("16:02:02.6", Some(754_000), "waiting", None, "place 2 in the source's queue\u{1b}[2J"),
        ],
        "next": { "what": "the place is kept by asking again", "at": "2026-03-01T16:15:00Z" },
    })
}

#[test]
fn the_chain_is_told_in_columns_that_line_up() {
    let daemon = FakeDaemon::start().answers("GET /v1/downloads/3/why", 200, why());
    let told = "\
name   song.mp3
state  waiting, place 2: the source is busy with another upload
next   2026-03-01 16:15:00: the place is kept by asking again

TIME                  TOOK  STATE       FROM      WHAT HAPPENED
2026-03-01 16:02:01  40 ms  queued      bob       you asked for it
2026-03-01 16:02:01  1.3 s  requesting  田中さん  the source is asked
2026-03-01 16:02:02  12:34  waiting               place 2 in the source's queue\u{fffd}[2J
";
    let ran = daemon.command(&["why", "3"]).env("TZ", "UTC").output().unwrap();
    crate::Ran::of(ran).exits(0).prints(told);
    daemon.peerctl(&["why", "3", "--json"]).exits(0).prints(&format!("{}\n", why()));
}

#[test]
fn a_download_that_is_not_there_exits_with_4() {
    let daemon = FakeDaemon::start().problem("GET /v1/downloads/9/why", Code::DownloadUnknown);
    daemon.peerctl(&["why", "9"]).exits(4).prints("").says("peerctl downloads");
}
