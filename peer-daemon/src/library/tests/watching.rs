//! Changes are noticed without anybody asking for a scan.

use std::{fs, os::unix::fs::symlink};

use super::{PATIENCE, Shelf};

/// Waits until a search finds exactly these.
async fn found(shelf: &Shelf, query: &str, names: &[&str]) {
    let found = async {
        while shelf.names(query) != names {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, found).await;
    assert!(waited.is_ok(), "{query}: {:?} in place of {names:?}", shelf.names(query));
}

#[tokio::test]
async fn a_file_that_comes_changes_moves_and_goes_is_noticed() {
    let shelf = Shelf::with(&[("music/old song.ogg", b"old")]).await;
    shelf.write("music/new song.ogg", b"new");
    found(&shelf, "song", &["new song.ogg", "old song.ogg"]).await;

    shelf.write("music/new song.ogg", b"newer");
    let newer = super::id(b"newer");
    let changed = async {
        while shelf.library().find(&newer).is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("the change was not noticed");

    fs::rename(shelf.path("music/old song.ogg"), shelf.path("an old song.ogg")).unwrap();
    found(&shelf, "song", &["an old song.ogg", "new song.ogg"]).await;
    fs::remove_file(shelf.path("music/new song.ogg")).unwrap();
    found(&shelf, "song", &["an old song.ogg"]).await;
}

#[tokio::test]
async fn folders_come_and_go_with_all_that_is_in_them() {
    let shelf = Shelf::with(&[("kept song.ogg", b"kept")]).await;
    let elsewhere = tempfile::tempdir_in(shelf.dir.path()).unwrap();
    fs::create_dir_all(elsewhere.path().join("album/disc")).unwrap();
    fs::write(elsewhere.path().join("album/disc/moved song.ogg"), "moved").unwrap();

    fs::rename(elsewhere.path().join("album"), shelf.path("album")).unwrap();
    found(&shelf, "song", &["moved song.ogg", "kept song.ogg"]).await;
    shelf.write("album/disc/late song.ogg", b"late");
    found(&shelf, "song", &["late song.ogg", "moved song.ogg", "kept song.ogg"]).await;
    fs::rename(shelf.path("album"), elsewhere.path().join("album")).unwrap();
    found(&shelf, "song", &["kept song.ogg"]).await;
}

#[tokio::test]
async fn what_is_never_shared_is_not_shared_by_being_noticed() {
    let shelf = Shelf::with(&[]).await;
    shelf.write(".git/song.ogg", b"hidden");
    shelf.write(".song.ogg", b"hidden too");
    shelf.write("song.ogg.part", b"unfinished");
    shelf.write(".hidden/song.ogg", b"in a hidden folder");
    symlink("/etc/hostname", shelf.path("song link")).unwrap();
    // By the time the last one is found, the ones before were noticed too.
    shelf.write("visible song.ogg", b"visible");
    found(&shelf, "song", &["visible song.ogg"]).await;
    shelf.settled().await;
    assert_eq!(shelf.library().summary().files, 1);
}

#[tokio::test]
async fn reading_a_file_is_no_change() {
    let shelf = Shelf::with(&[("song.ogg", b"song")]).await;
    shelf.write("other.ogg", b"other");
    found(&shelf, "ogg", &["other.ogg", "song.ogg"]).await;
    shelf.settled().await;
    let asked = shelf.library().shared.agenda.borrow().last();
    for _ in 0..3 {
        fs::read(shelf.path("song.ogg")).unwrap();
    }
    // A change after it is noticed after it: until then, nothing was asked for.
    shelf.write("last.ogg", b"last");
    found(&shelf, "ogg", &["last.ogg", "other.ogg", "song.ogg"]).await;
    let agenda = shelf.library().shared.agenda.borrow();
    let asks = agenda.last().since(asked);
    assert!((1..=3).contains(&asks), "{asks} scans for one new file");
}
