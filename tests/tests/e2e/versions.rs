//! Parts of different versions tell so: which two versions, and what to do.

use std::{fs, os::unix::fs::FileExt as _};

use hearsay_tests::{
    content::Folder,
    peer::{self, Peer},
    process::Program,
    scene::Scene,
    wait::{PATIENCE, until},
};
use protocol::{
    Code, Problem, VERSION,
    control::{ExitCode, Status},
    introduction::{DeclineReason, HeardReply},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where SQLite's file format has the number that counts a state's migrations.
const SCHEMA_VERSION_AT: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_a_later_version_is_left_alone() {
    let home = TempDir::new().unwrap();
    let first = Program::start("peer-daemon", &mut peer::command(home.path()), home.path());
    let database = home.path().join("state/state.db");
    until("the daemon is ready", PATIENCE, async || first.stderr().contains("ready").then_some(())).await;
    first.stop().await;
    let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    file.write_all_at(&9_999_u32.to_be_bytes(), SCHEMA_VERSION_AT).unwrap();
    drop(file);
    let before = fs::read(&database).unwrap();

    let mut second = Program::start("peer-daemon", &mut peer::command(home.path()), home.path());
    assert_eq!(second.exit_code().await, ExitCode::VersionMismatch as i32);
    let told = second.stderr();
    for words in ["newer peer-daemon", "9999", "--state-dir"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(fs::read(&database).unwrap() == before, "the state was touched");
    let left: Vec<_> = fs::read_dir(home.path().join("state")).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(left.len(), 2, "the database and the lock: {left:?}");
}

/// What a coordinator of another version answers, whatever it is asked.
async fn answer_as_of_version(listener: TcpListener, version: u32) {
    let problem = Problem { version: Some(version), ..Problem::new(Code::VersionUnsupported) };
    let problem = serde_json::to_string(&problem).unwrap();
    let answer = format!(
        "HTTP/1.1 426 Upgrade Required\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{problem}",
        Problem::CONTENT_TYPE,
        problem.len()
    );
    while let Ok((mut connection, _)) = listener.accept().await {
        // To the end of its body: an answer to half a call would be lost with the connection.
        let mut call = Vec::new();
        while !call.ends_with(b"}") && connection.read_buf(&mut call).await.unwrap_or(0) > 0 {}
        let _ = connection.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_of_a_later_version_is_told_by_connect_and_by_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(ended.clone().run_until_cancelled_owned(answer_as_of_version(listener, VERSION + 1)));
    let mut peer = Peer::named("alice", &url).start().await;
    let told = "the coordinator speaks protocol version 2, this peer-daemon version 1: update peer-daemon";
    let is_told = |status: &Status| status.connection_problem.as_ref().is_some_and(|why| why.contains(told));
    let _ = peer.wait_for_status("tells of the other version", PATIENCE, is_told).await;
    let output = peer.peerctl(&["status"]).await.expect(ExitCode::Done);
    assert!(output.stdout.contains(told), "{output:#?}");
    let output = peer.peerctl(&["connect", "alice"]).await.expect(ExitCode::VersionMismatch);
    assert!(output.stderr.contains(told), "{output:#?}");
    peer.stop().await;
    ended.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_says_to_a_requester_of_another_version_which_one_it_speaks() {
    let scene = Scene::start().await;
    let folder = Folder::new().with("some song.ogg", b"la la la");
    let target = scene.peer("target").sharing(folder.path()).connected().await;
    let mut requester = scene.scripted_peer("requester").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let found = requester.find("some song").await;
    let invited = requester.invite_of_version(VERSION + 1, &found, &listener).await;
    let declined = HeardReply::Declined { reason: DeclineReason::VersionUnsupported, version: Some(VERSION) };
    assert_eq!(requester.word_on(&invited).await, declined);
    scene.stop_with([target]).await;
}
