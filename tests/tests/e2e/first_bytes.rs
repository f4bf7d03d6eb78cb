//! A dial-back can't be turned against a bystander: a target writes nothing to a listener that does not begin
//! with TLS.

use hearsay_tests::{
    content::Folder,
    scene::Scene,
    wait::{PATIENCE, within},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Lures a real target to a listener that says `greeting`; gives all bytes that the target wrote.
async fn written_to_a_listener_that_says(greeting: &str) -> Vec<u8> {
    let scene = Scene::start().await;
    let files = Folder::new().with("bait.txt", "x");
    let target = scene.peer("target").sharing(files.path()).connected().await;
    let requester = scene.asker("requester", "bait").await;
    requester.invite().await;
    let mut written = Vec::new();
    within("the target dials and goes away", PATIENCE, async {
        let (mut stream, _) = requester.listener.accept().await.unwrap();
        let _ = stream.write_all(greeting.as_bytes()).await;
        // A reset instead of an end is fine too: what counts is what came before it.
        let _ = stream.read_to_end(&mut written).await;
    })
    .await;

    scene.stop_with([target]).await;
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_silent_listener() {
    assert_eq!(written_to_a_listener_that_says("").await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_listener_that_sends_a_banner() {
    assert_eq!(written_to_a_listener_that_says("220 mail.example.org ESMTP\r\n").await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_listener_that_begins_almost_like_tls() {
    // A handshake record, but of a ServerHello (2) in place of a ClientHello (1).
    assert_eq!(written_to_a_listener_that_says("\u{16}\u{3}\u{1}\u{0}\u{4}\u{2}\u{0}\u{0}\u{0}").await, b"");
}
