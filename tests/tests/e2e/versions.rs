//! Parts of different versions tell so: which two versions, and what to do.

use std::{fs, os::unix::fs::FileExt as _};

use hearsay_tests::{
    content::Folder,
    peer,
    process::Program,
    scene::Scene,
    wait::{PATIENCE, until},
};
use protocol::{
    VERSION,
    control::ExitCode,
    introduction::{DeclineReason, HeardReply},
};
use tempfile::TempDir;
use tokio::net::TcpListener;

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
    target.stop().await;
    scene.stop().await;
}
