//! Other users of the machine reach the page's port, too: whatever they do with it, the owner has the page.

use std::{fs, net::SocketAddr};

use hearsay_tests::{
    misuse::Misuse,
    peer::Peer,
    process::raise_open_files,
    scene::Scene,
    wait::{PATIENCE, until, within},
};
use reqwest::{Client, RequestBuilder};
use tokio::task::JoinSet;

use super::link;

/// Of each kind: all together they are more than the page has places.
const OF_A_KIND: usize = 40;
/// As many as the page has.
const PLACES: usize = 128;
/// So often the owner comes anew, each time without a connection.
const VISITS: u32 = 10;
/// More answers than a socket holds.
const UNREAD: usize = 20_000;

fn kinds(address: SocketAddr) -> Vec<Misuse> {
    let get = format!("GET /parts.css HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let log_in = format!(
        "POST /v1/gui/session HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{{"
    );
    vec![
        // Silence, a head, a second head, and a body that never end.
        Misuse::new("", b""),
        Misuse::new("GET / HTTP/1.1\r\nX-Slow: ", b"a"),
        Misuse::new(format!("{get}GET / HTTP/1.1\r\nX-Slow: "), b"a"),
        Misuse::new(log_in, b" "),
        // Answers that nobody reads.
        Misuse::new(get.repeat(UNREAD), b""),
        // No HTTP at all.
        Misuse::new("\0\r\n\r\n", b"x"),
    ]
}

/// Connections to this address that are open, accepted or not.
fn connections(address: SocketAddr) -> usize {
    let port = format!(":{:04X}", address.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01").count()
}

/// What answers a call that is to succeed.
async fn answer(call: RequestBuilder) -> String {
    let answer = call.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.text().await.unwrap()
}

/// Opens the page with a fresh link, over a connection of its own, and asks how the daemon is; the session.
async fn visit(peer: &Peer) -> (Client, String) {
    let link = link(peer).await;
    let (page, secret) = link.split_once("/#").unwrap();
    let browser = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let document = answer(browser.get(page)).await;
    assert!(document.contains("<title>Hearsay</title>"), "{document}");
    let opening = browser.post(format!("{page}/v1/gui/session")).json(&serde_json::json!({ "link": secret }));
    let opened: serde_json::Value = serde_json::from_str(&answer(opening).await).unwrap();
    let session = opened["session"].as_str().unwrap().to_owned();
    answer(browser.get(format!("{page}/v1/status")).bearer_auth(&session)).await;
    (browser, session)
}

/// Reads the stream of changes until one has this in it.
async fn sees(stream: &mut reqwest::Response, wanted: &str) {
    let mut seen = String::new();
    let reading = async {
        while !seen.contains(wanted) {
            let chunk = stream.chunk().await.unwrap().unwrap();
            seen.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    within(&format!("the stream tells {wanted}"), PATIENCE, reading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_all_connections_of_the_page_does_not_keep_its_owner_out() {
    raise_open_files();
    let scene = Scene::start().await;
    let anna = scene.peer("anna").with_page().connected().await;
    let address = anna.status().await.gui.unwrap();
    let (browser, session) = visit(&anna).await;
    let mut changes =
        browser.get(format!("http://{address}/v1/events")).bearer_auth(&session).send().await.unwrap();
    sees(&mut changes, "\"downloads\"").await;

    let mut strangers = JoinSet::new();
    for kind in kinds(address) {
        for _ in 0..OF_A_KIND {
            strangers.spawn(kind.clone().again_and_again(address));
        }
    }
    let crowded = async || (connections(address) > PLACES).then_some(());
    until("there are more than the page has places", PATIENCE, crowded).await;
    for _ in 0..VISITS {
        visit(&anna).await;
    }
    anna.set("upload_rate", "1M").await;
    sees(&mut changes, "1048576").await;

    strangers.shutdown().await;
    assert!(!anna.stderr().contains("stream error"), "what strangers send fills the log");
    drop(changes);
    scene.stop_with([anna]).await;
}
