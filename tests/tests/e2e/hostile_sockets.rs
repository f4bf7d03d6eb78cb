//! Connections that are opened and not used as they should be: an honest peer's search still works, memory stays
//! within bounds, and all of them are gone when their time is over.
//!
//! `cargo xtask flood` runs this with 10,000 idle connections.

use std::{env, fs};

use hearsay_tests::{
    api_client::ApiClient,
    coordinator::Coordinator,
    misuse::Misuse,
    process::raise_open_files,
    scripted::ScriptedPeer,
    session::Session,
    wait::{PATIENCE, until},
};
use protocol::{FileId, Root, SessionToken};
use tokio::task::JoinSet;

/// Of the kind that never sends anything.
const IDLE_VARIABLE: &str = "HEARSAY_TESTS_IDLE";
const IDLE: usize = 500;
/// Of each other kind.
const OF_A_KIND: usize = 50;
/// What one of them may cost: the buffers of a connection and a request in the making, with much room.
const BYTES_EACH_MAX: u64 = 64 * 1024;
/// Memory that the process takes for the honest ones meanwhile.
const BYTES_BESIDE: u64 = 32 * 1024 * 1024;
const CONFIGURATION: &str = "
lifetimes.headers_seconds = 3
lifetimes.body_seconds = 3
";

fn kinds(session: &str, name_token: &str) -> Vec<Misuse> {
    let connect = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let answer = format!(
        "POST /v1/searches/{}/answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {session}\r\nHearsay-Name: {name_token}\r\n",
        "0".repeat(32)
    );
    let half = "x".repeat(60 * 1024);
    vec![
        // Half a request, and silence.
        Misuse::new("GET /v1/eve", b""),
        Misuse::new("GET /v1/events HTTP/1.1\r\nHost: x\r\n", b""),
        // Headers that never end.
        Misuse::new("GET /v1/events HTTP/1.1\r\nX-Slow: ", b"a"),
        Misuse::new("GET /v1/events HTTP/1.1\r\n", b"a: b\r\n"),
        // The same with a connection's second request, and with a body that nobody waits for.
        Misuse::new("GET /v1/nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/eve", b"a"),
        Misuse::new(
            "POST /v1/nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
        ),
        // Headers that are far too large.
        Misuse::new(format!("GET /v1/events HTTP/1.1\r\nX-Large: {}\r\n\r\n", half.repeat(5)), b""),
        Misuse::new(format!("GET /{} HTTP/1.1\r\n\r\n", half.repeat(5)), b""),
        // Bodies that never end, of a stranger and of a session.
        Misuse::new(format!("{connect}Content-Length: 10000\r\n\r\n{{"), b" "),
        Misuse::new(format!("{answer}Content-Length: 100000\r\n\r\n{half}"), b" "),
    ]
}

fn resident_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn connections(coordinator: &Coordinator) -> u64 {
    coordinator.metric("hearsay_connections ").await
}

#[allow(clippy::print_stderr, reason = "what a run with many of them has cost")]
#[tokio::test(flavor = "multi_thread")]
async fn an_honest_search_works_among_connections_that_are_misused() {
    raise_open_files();
    let idle = env::var(IDLE_VARIABLE).map_or(IDLE, |text| text.parse().unwrap());
    let coordinator = Coordinator::configured(CONFIGURATION).await;
    let address = coordinator.address();
    let client = || ApiClient::without_proxy(&format!("http://{address}"));
    let mallory_token = SessionToken::random();
    let mallory = Session::connect_with(client(), "mallory", mallory_token.clone()).await;
    let before = resident_bytes(coordinator.process_id());

    let mut misused = JoinSet::new();
    for _ in 0..idle {
        misused.spawn(Misuse::new("", b"").of(address));
    }
    let kinds = kinds(&mallory_token.reveal(), mallory.name_token());
    let others = kinds.len() * OF_A_KIND;
    for kind in kinds.iter().cycle().take(others) {
        misused.spawn(kind.clone().of(address));
    }
    let wanted = u64::try_from(idle / 2).unwrap();
    until("most of them are connected", PATIENCE, async || {
        (connections(&coordinator).await >= wanted).then_some(())
    })
    .await;

    let mut seeker = ScriptedPeer::in_session(Session::connect_by(client(), "seeker").await);
    let mut holder = ScriptedPeer::in_session(Session::connect_by(client(), "holder").await);
    let file = FileId::new(Root::from_bytes([7; 32]), 4_711).unwrap();
    let (found, ()) = tokio::join!(seeker.find("honest thing"), holder.offer("honest thing.txt", file));
    assert_eq!(found.file, file);
    let grown = resident_bytes(coordinator.process_id()).saturating_sub(before);
    let allowed = u64::try_from(idle + others).unwrap() * BYTES_EACH_MAX + BYTES_BESIDE;
    eprintln!("{idle} idle, {others} others: {} KiB more memory, the search got through", grown / 1024);
    assert!(grown < allowed, "{grown} bytes more than before, for {idle} idle and {others} others");

    until("the time of all of them is over", 2 * PATIENCE, async || {
        while misused.try_join_next().is_some() {}
        (misused.is_empty() && connections(&coordinator).await < 20).then_some(())
    })
    .await;
    coordinator.stop().await;
}
