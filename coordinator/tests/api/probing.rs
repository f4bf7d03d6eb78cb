//! Nobody is told who is there: an introduction is answered with the same bytes whoever it is for.

use std::net::SocketAddr;

use protocol::{IntroductionId, introduction::Sealed, paths::NAME_HEADER};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{TestApp, TestPeer};

/// The lines of the whole answer, as they come over the wire. Headers come in any order, so they are sorted, and the
/// date is made one.
async fn answer(app: &TestApp, from: &TestPeer<'_>, id: IntroductionId, to: &str) -> Vec<String> {
    let address: SocketAddr = app.base.trim_start_matches("http://").parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = json!({ "to": to, "port": 4821, "sealed": Sealed::new(vec![7; 4096]) }).to_string();
    let head = format!(
        "PUT /v1/introductions/{id} HTTP/1.1\r\nHost: coordinator\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\n{NAME_HEADER}: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        *from.token.reveal(),
        from.name_token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let lines =
        answer.split("\r\n").map(|line| if line.starts_with("date: ") { "date: some day" } else { line });
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    let body = lines.iter().position(String::is_empty).unwrap();
    lines[1..body].sort();
    lines
}

#[tokio::test]
async fn introductions_are_answered_byte_by_byte_alike_whoever_they_are_for() {
    let app = TestApp::start_with(|config| config.limits.introductions_burst = 100.try_into().unwrap());
    let alice = app.connect("alice").await;
    let mut unwilling = app.connect("unwilling").await;
    // One who blocks does what one does who does not hear: nothing.
    let _blocking = app.connect("blocking").await;
    let parked = app.connect("parked").await;
    let gone = app.connect("has-gone").await;
    assert_eq!(gone.disconnect().await.status(), 204);

    let poll = parked.poll_request(None, 30).send();
    let (poll, answers) = tokio::join!(poll, async {
        app.until_parked(1).await;
        let mut answers = Vec::new();
        for to in ["unwilling", "blocking", "parked", "has-gone", "never-was", "unwi11ing"] {
            let id = IntroductionId::random();
            let first = answer(&app, &alice, id, to).await;
            if to == "unwilling" {
                unwilling.events().await;
                let declined = json!({ "state": "declined", "reason": "refused" });
                assert_eq!(unwilling.reply(id, &declined).await.status(), 204);
            }
            // Sent again, and another one while the first waits for its word or has it.
            let again = answer(&app, &alice, id, to).await;
            let another = answer(&app, &alice, IntroductionId::random(), to).await;
            answers.push((to, [first, again, another]));
        }
        answers
    });
    assert_eq!(poll.unwrap().status(), 200);
    let (_, expected) = &answers[0];
    assert_eq!(expected[0][0], "HTTP/1.1 202 Accepted");
    for (to, answer) in &answers {
        assert_eq!(answer[..2], expected[..2], "{to}");
        // How long to wait for another one is jittered; all else is not.
        let without_wait = |lines: &[String]| {
            lines.iter().filter(|line| !line.starts_with("retry-after: ")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(without_wait(&answer[2]), without_wait(&expected[2]), "{to}");
    }
    app.stop().await;
}
