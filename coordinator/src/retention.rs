//! What is in memory and for how long, as `docs/threat-model.md` tells it: the table is made here from the values that
//! the program runs with, and a test holds the page to it.

use std::{fs, time::Duration};

use crate::{
    config::{Lifetimes, Limits},
    exchange::memory::SWEEP_INTERVAL,
    rate_limit::known_for,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/threat-model.md");

fn told(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 3_600.0 { format!("{} h", seconds / 3_600.0) } else { format!("{seconds} s") }
}

/// What, in which form, until when.
fn row(what: &str, form: &str, until: String) -> [String; 3] {
    [what.to_owned(), form.to_owned(), until]
}

/// Who is there, and what is searched for.
fn sessions_and_searches() -> Vec<[String; 3]> {
    let Lifetimes { lease, search, search_grace, .. } = Lifetimes::default();
    vec![
        row(
            "who is connected",
            "keyed hashes of the name, hash of the token, hash of the lineage",
            format!("{} after the last poll, or the disconnect", told(lease)),
        ),
        row("the caller's name", "in clear, out of its seal", "the call".to_owned()),
        row(
            "the caller's address",
            "in clear",
            "the call; that of the open connection as long as it is open".to_owned(),
        ),
        row(
            "the words of a search, or its root and size",
            "in clear, once for all",
            format!("{} from its start; {} more for late answers", told(search), told(search_grace)),
        ),
        row(
            "results: name, username, root, size",
            "in clear, in the searcher's mailbox",
            format!("fetched, or {} after the search's end", told(search_grace)),
        ),
    ]
}

/// What peers say to each other.
fn introductions() -> Vec<[String; 3]> {
    let Lifetimes { introduction, event, .. } = Lifetimes::default();
    vec![
        row(
            "an introduction: who asks whom",
            "session of the one, keyed hashes of the other",
            format!("{} after it was last sent", told(introduction)),
        ),
        row(
            "an introduction on its way: requester's name and address, seal",
            "in clear (the seal is closed), in the target's mailbox",
            format!("fetched, or {}", told(introduction.min(event))),
        ),
        row("the same, to a name that nobody holds", "as above", told(SWEEP_INTERVAL)),
        row(
            "the word on an introduction, with an address where there is one",
            "in clear, in the requester's mailbox",
            format!("fetched, or {}", told(event)),
        ),
    ]
}

/// What passing by leaves.
fn connections_and_counts() -> Vec<[String; 3]> {
    let Lifetimes { content_connection_max, keep_alive, headers, body, answer, name_token, .. } =
        Lifetimes::default();
    let Limits { mailbox_events, mailbox_bytes, mail_bytes, .. } = Limits::default();
    vec![
        row(
            "what a poll hears",
            "on its way into the socket",
            format!("it is written, {} at most once the socket is full", told(answer)),
        ),
        row(
            "what a call carried",
            "bytes in a connection's buffers",
            format!(
                "{} after it at most, or the connection's end",
                told(content_connection_max + keep_alive)
            ),
        ),
        row(
            "a request that comes slowly",
            "bytes in a connection's buffers",
            format!("{} for its headers, {} for its body", told(headers), told(body)),
        ),
        row(
            "how often an address did something",
            "hash under a key that is thrown away every hour",
            format!("{} after the last time", told(known_for(&Limits::default()))),
        ),
        row(
            "how often a session did something, and a name was renewed",
            "hash of its token, hash of the lineage",
            "the same".to_owned(),
        ),
        row("a name token", "not here: at the peer, sealed", format!("counts for {}", told(name_token))),
        row(
            "all mail",
            "in mailboxes",
            format!(
                "at most {mailbox_events} events and {} KiB a session, {} MiB in all",
                mailbox_bytes / 1024,
                mail_bytes / 1024 / 1024
            ),
        ),
    ]
}

fn table() -> String {
    let mut text = "| what | in which form | until |\n|---|---|---|\n".to_owned();
    for [what, form, until] in [sessions_and_searches(), introductions(), connections_and_counts()].concat() {
        text.push_str(&["| ", &what, " | ", &form, " | ", &until, " |\n"].concat());
    }
    text
}

#[test]
fn the_page_tells_what_the_program_keeps() {
    let page = fs::read_to_string(PAGE).unwrap();
    let table = table();
    assert!(page.contains(&table), "docs/threat-model.md has to have this table:\n\n{table}");
}
