//! Whole folders, from the side of whoever has them: what is offered, and what one stream serves. The requester is
//! played by hand.

use std::{fs, os::unix::fs::FileExt as _};

use hearsay_tests::{
    content::Folder,
    peer::Peer,
    proxy::Scheme,
    scene::Scene,
    scripted::{Found, RequesterStream, ScriptedPeer, path_of},
    wait::{PATIENCE, until},
};
use protocol::{
    Code, FileId, FolderSummary, Problem,
    control::{ExitCode, FileLink, FolderProgress, UploadState},
    folder::{ListedFile, Listing, identity},
    introduction::{DeclineReason, HeardReply},
    limits::FOLDER_FILES_MAX,
    paths::peer,
};
use tokio::net::TcpListener;

/// Shares a folder with an album in it, and something beside it.
fn files() -> Folder {
    Folder::new()
        .with("album/one.ogg", "one")
        .with_random("album/long.ogg", 1_500_000, 3)
        .with("album/disc two/empty.txt", "")
        .with("album/disc two/a:b", "first")
        .with("album/disc two/a?b", "second")
        .with("album.txt", "beside it")
}

async fn share(peer: &mut Peer, how: &str, folder: &Folder) {
    let path = folder.path().display().to_string();
    let _ = peer.peerctl(&["share", "add", how, &path]).await.expect(ExitCode::Done);
    peer.wait_until_scanned().await;
}

/// These tests search until what changes on the disk has been noticed.
async fn scene() -> Scene {
    Scene::configured("limits.searches_burst = 1000\n", Scheme::Http).await
}

/// Searches until a folder of this name is found that `is_it` approves of.
async fn find_folder(searcher: &mut ScriptedPeer, name: &str, is_it: impl Fn(&Found) -> bool) -> Found {
    until(&format!("{name} is found"), PATIENCE, async || {
        let found = searcher.find_all(name).await;
        found.into_iter().find(|found| found.name.as_str() == name && found.folder.is_some() && is_it(found))
    })
    .await
}

/// Asks for a folder and meets the dial-back.
async fn stream_to(requester: &ScriptedPeer, found: &Found) -> RequesterStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _invited = requester.invite(found, &listener).await;
    let mut stream = requester.meet(found, &listener).await;
    assert_eq!(stream.get(peer::INTRODUCTION, "").await.status, 200);
    stream
}

async fn listing_over(stream: &mut RequesterStream, folder: &FileId) -> Listing {
    let response = stream.get_file(folder).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("etag"), Some(format!("\"{}\"", folder.root).as_str()));
    assert_eq!(identity(&response.body).as_ref(), Some(folder), "the listing is the one that was named");
    Listing::from_bytes(&response.body).unwrap()
}

fn listed<'a>(listing: &'a Listing, path: &str) -> &'a ListedFile {
    listing.files().iter().find(|file| file.path.to_string() == path).unwrap_or_else(|| panic!("{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_serves_the_listing_and_every_file_of_a_folder_and_nothing_else() {
    let scene = scene().await;
    let files = files();
    let mut anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut bert = scene.scripted_peer("bert").await;
    let single = bert.find_all("album").await;
    assert!(single.len() == 1 && single[0].folder.is_none(), "only files, unless their owner says so");
    let beside = single[0].file;

    share(&mut anna, "--folders", &files).await;
    let album = find_folder(&mut bert, "album", |_| true).await;
    let summary = FolderSummary { files: 5, bytes: 1_500_000 + 3 + 5 + 6 };
    assert_eq!(album.folder, Some(summary));
    let again = bert.find_again(&album.file).await;
    assert!(again.len() == 1 && again[0].folder == Some(summary), "also by its root");
    let disc = find_folder(&mut bert, "disc two", |_| true).await;
    assert_eq!(disc.folder, Some(FolderSummary { files: 3, bytes: 11 }));
    let path = files.path().join("album").display().to_string();
    let link = anna.peerctl(&["--json", "link", &path]).await.expect(ExitCode::Done).document::<FileLink>();
    assert_eq!((link.root, link.size, link.folder), (album.file.root, album.file.size, Some(summary)));

    let _ = anna.set("policy", "ask").await.expect(ExitCode::Done);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let invited = bert.invite(&album, &listener).await;
    let asked = until("anna is asked", PATIENCE, async || anna.requests().await.pop()).await;
    assert_eq!((asked.files[0].name.as_str(), asked.files[0].folder), ("album", Some(summary)));
    assert_eq!(asked.files[0].size, summary.bytes, "of its files, not of its listing");
    let _ = anna.peerctl(&["accept", &invited.id.to_string()]).await.expect(ExitCode::Done);

    let mut stream = bert.meet(&album, &listener).await;
    let listing = listing_over(&mut stream, &album.file).await;
    let paths: Vec<_> = listing.files().iter().map(|file| file.path.to_string()).collect();
    let wanted = ["disc two/a_b", "disc two/a_b (2)", "disc two/empty.txt", "long.ogg", "one.ogg"];
    assert_eq!(paths, wanted);
    let on_disk = ["disc two/a:b", "disc two/a?b", "disc two/empty.txt", "long.ogg", "one.ogg"];
    for (file, path) in listing.files().iter().zip(on_disk) {
        let response = stream.get_file(&file.id().unwrap()).await;
        assert_eq!((response.status, response.body), (200, files.read(&format!("album/{path}"))), "{path}");
    }
    let upload = anna.uploads().await.remove(0);
    assert_eq!((upload.name.as_str(), upload.folder), ("album", Some(summary)), "{upload:?}");
    assert_eq!(
        (upload.state, upload.size, upload.sent),
        (UploadState::Transferring, summary.bytes, summary.bytes)
    );

    assert_eq!(stream.get_file(&beside).await.status, Code::FileNotOffered.status());
    assert_eq!(stream.get_file(&disc.file).await.status, Code::FileNotOffered.status());
    let (whole, part) =
        (path_of(&album.file), format!("Range: bytes=0-9\r\nIf-Range: \"{}\"\r\n", album.file.root));
    let first = stream.get(&whole, &part).await;
    assert_eq!((first.status, first.body.as_slice()), (206, &b"{\"files\":["[..]));
    let same = format!("If-None-Match: \"{}\"\r\n", album.file.root);
    assert_eq!(stream.get(&whole, &same).await.status, 304);
    let long = listed(&listing, "long.ogg").id().unwrap();
    let layer = stream.get(&format!("{}/pieces", path_of(&long)), "").await;
    assert_eq!((layer.status, layer.body.len()), (200, 64));
    assert_eq!(stream.get(&format!("{whole}/pieces"), "").await.body, b"", "of one piece");

    drop(stream);
    scene.stop_with([anna]).await;
}

/// What a target says to whoever asks for this.
async fn reason_against(requester: &mut ScriptedPeer, found: &Found) -> DeclineReason {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let invited = requester.invite(found, &listener).await;
    match requester.word_on(&invited).await {
        HeardReply::Declined { reason, .. } => reason,
        other => panic!("it was not declined: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_another_one_by_now_is_declined_with_the_reason() {
    let scene = scene().await;
    let files = files();
    let mut anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut bert = scene.scripted_peer("bert").await;
    share(&mut anna, "--folders", &files).await;
    let before = find_folder(&mut bert, "album", |_| true).await;
    fs::write(files.path().join("album/new.ogg"), "new").unwrap();
    let after = find_folder(&mut bert, "album", |found| found.file != before.file).await;
    assert_eq!(after.folder.unwrap().files, 6);
    assert_eq!(reason_against(&mut bert, &before).await, DeclineReason::SourceChanged);

    share(&mut anna, "--no-folders", &files).await;
    assert_eq!(reason_against(&mut bert, &after).await, DeclineReason::FileGone);
    let found = bert.find_all("album").await;
    assert!(found.iter().all(|found| found.folder.is_none()), "taken back");
    share(&mut anna, "--folders", &files).await;
    let disc = find_folder(&mut bert, "disc two", |_| true).await;
    fs::remove_dir_all(files.path().join("album/disc two")).unwrap();
    let fewer = FolderSummary { files: 3, bytes: 1_500_006 };
    let left = find_folder(&mut bert, "album", |found| found.folder == Some(fewer)).await;
    assert_eq!(reason_against(&mut bert, &disc).await, DeclineReason::FileGone);
    assert_eq!(reason_against(&mut bert, &after).await, DeclineReason::SourceChanged);

    let mut stream = stream_to(&bert, &left).await;
    let listing = listing_over(&mut stream, &left.file).await;
    let one = fs::OpenOptions::new().write(true).open(files.path().join("album/one.ogg")).unwrap();
    one.write_all_at(b"other", 0).unwrap();
    for (path, status) in [("one.ogg", Code::SourceChanged.status()), ("new.ogg", 200), ("long.ogg", 200)] {
        let file = listed(&listing, path).id().unwrap();
        assert_eq!(stream.get_file(&file).await.status, status, "{path}");
    }
    let refused = stream.get_file(&left.file).await;
    assert_eq!(serde_json::from_slice::<Problem>(&refused.body).unwrap().code, Code::SourceChanged);
    drop(stream);
    scene.stop_with([anna]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_and_a_file_can_be_had_by_one_introduction() {
    let scene = scene().await;
    let files = files();
    let mut anna = scene.peer("anna").sharing(files.path()).connected().await;
    let mut bert = scene.scripted_peer("bert").await;
    let beside = bert.find("album").await.file;
    share(&mut anna, "--folders", &files).await;
    let disc = find_folder(&mut bert, "disc two", |_| true).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = vec![beside, disc.file];
    let _ = bert.invite_to(&disc, asked, &listener).await;
    let mut stream = bert.meet(&disc, &listener).await;
    assert_eq!(stream.get_file(&beside).await.body, b"beside it");
    let upload = anna.uploads().await.remove(0);
    assert_eq!((upload.name.as_str(), upload.size, upload.sent, upload.folder), ("album.txt", 9, 9, None));
    let listing = listing_over(&mut stream, &disc.file).await;
    let second = listed(&listing, "a_b (2)").id().unwrap();
    assert_eq!(stream.get_file(&second).await.body, b"second");
    let upload = anna.uploads().await.remove(0);
    assert_eq!((upload.name.as_str(), upload.size, upload.folder), ("disc two", 11, disc.folder));
    drop(stream);
    scene.stop_with([anna]).await;
}

/// In the largest folder, and how many of them are fetched here.
const MANY: usize = FOLDER_FILES_MAX;
const FETCHED: usize = 300;
/// What a folder may cost more in memory, listing and all.
const MORE_BYTES: u64 = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_folder_is_listed_and_served_without_much_memory() {
    let scene = scene().await;
    let files = Folder::new().with("largest/beside/x", "x").with("beside.txt", "found by the same word");
    for number in 1..MANY {
        fs::write(
            files.path().join(format!("largest/a file with some name, number {number}.txt")),
            format!("{number}"),
        )
        .unwrap();
    }
    let mut anna = scene.peer("anna").sharing(files.path()).start().await;
    // So many files take a while on a machine that is busy.
    anna.wait_for_status("has read all", 4 * PATIENCE, |status| !status.scanning).await;
    anna.wait_until_connected().await;
    let mut bert = scene.scripted_peer("bert").await;
    let before = anna.resident_bytes();
    share(&mut anna, "--folders", &files).await;
    let largest = find_folder(&mut bert, "largest", |found| found.folder.unwrap().files == MANY as u64).await;
    let mut stream = stream_to(&bert, &largest).await;
    let listing = listing_over(&mut stream, &largest.file).await;
    assert_eq!(listing.files().len(), MANY);
    for file in listing.files().iter().rev().take(FETCHED) {
        let response = stream.get_file(&file.id().unwrap()).await;
        assert_eq!((response.status, response.body.len() as u64), (200, file.size));
    }
    for _ in 0..5 {
        let _again = listing_over(&mut stream, &largest.file).await;
    }
    let more = anna.resident_bytes().saturating_sub(before);
    assert!(more < MORE_BYTES, "{more} bytes more");
    drop(stream);

    // One file more, and it is several folders.
    fs::write(files.path().join("largest/beside/y"), "y").unwrap();
    let beside = FolderSummary { files: 2, bytes: 2 };
    let _beside = find_folder(&mut bert, "beside", |found| found.folder == Some(beside)).await;
    assert_eq!(reason_against(&mut bert, &largest).await, DeclineReason::SourceChanged);
    let told = anna.peerctl(&["share", "ls"]).await.expect(ExitCode::Done);
    assert!(told.stdout.contains("(1 folder whole)"), "{told:#?}");
    assert!(told.stderr.contains("2 folders with too much"), "{told:#?}");
    let path = files.path().join("largest").display().to_string();
    let refused = anna.peerctl(&["link", &path]).await.expect(ExitCode::NotFound);
    assert!(refused.stderr.contains("too much"), "{refused:#?}");
    scene.stop_with([anna]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_peer_fetches_by_a_link_what_another_one_offers() {
    let scene = scene().await;
    let files = files();
    let mut anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;
    share(&mut anna, "--folders", &files).await;
    let path = files.path().join("album").display().to_string();
    let link = anna.peerctl(&["link", &path]).await.expect(ExitCode::Done);
    let download = bert.fetch(link.stdout.trim_end()).await;
    assert_eq!(download.folder, Some(FolderProgress { files: 5, finished: 5 }), "{download:?}");
    let names = [
        ("disc two/a_b", "disc two/a:b"),
        ("disc two/a_b (2)", "disc two/a?b"),
        ("disc two/empty.txt", "disc two/empty.txt"),
        ("long.ogg", "long.ogg"),
        ("one.ogg", "one.ogg"),
    ];
    for (fetched, shared) in names {
        let shared = files.digest(&format!("album/{shared}"));
        assert_eq!(bert.digest_of(&format!("album/{fetched}")), shared, "{fetched}");
    }
    let upload = anna.wait_for_upload("ends", |upload| upload.state == UploadState::Finished).await;
    assert_eq!((upload.name.as_str(), upload.size, upload.sent), ("album", download.size, download.size));
    scene.stop_with([anna, bert]).await;
}
