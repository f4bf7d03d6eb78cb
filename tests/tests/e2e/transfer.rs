//! Files of every kind come over whole, and nothing that was there is overwritten.

use std::fs;

use hearsay_tests::{content::Folder, peer::Peer, scene::Scene};
use protocol::control::{Download, DownloadState, ExitCode};

const LARGE: usize = 300 << 20;

/// Searches for a name and fetches its first result.
async fn find_and_fetch(peer: &Peer, query: &str) -> Download {
    let found = peer.search(query).await;
    assert_eq!(found.results.len(), 1, "{found:#?}");
    let download = peer.fetch(&found.results[0].number.to_string()).await;
    assert_eq!(download.state, DownloadState::Finished, "{download:?}");
    assert_eq!((download.received, download.root), (download.size, found.results[0].root), "{download:?}");
    download
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_300_mib_comes_over_whole() {
    let files = Folder::new().with_random("large.bin", LARGE, 1);
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let download = find_and_fetch(&bert, "large").await;
    assert_eq!(download.path, bert.downloaded("large.bin").display().to_string());
    assert_eq!(bert.digest_of("large.bin"), files.digest("large.bin"));
    assert_eq!(bert.downloaded_names(), ["large.bin"], "and nothing beside it");

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_come_over_whole() {
    let step = 16 * 1024;
    let files = Folder::new()
        .with("empty.txt", "")
        .with("single.txt", "x")
        .with_random("block.bin", step, 2)
        .with_random("block and one.bin", step + 1, 3)
        .with_random("piece and one.bin", (1 << 20) + 1, 4);
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    for name in ["empty.txt", "single.txt", "block.bin", "block and one.bin", "piece and one.bin"] {
        let exact = bert.search(name).await.results.remove(0);
        assert_eq!(exact.name.as_str(), name);
        let _ = bert.fetch(&exact.number.to_string()).await;
        assert_eq!(bert.digest_of(name), files.digest(name), "{name}");
    }
    assert_eq!(bert.downloaded_names().len(), 5);

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_results_are_fetched_in_one_go() {
    let names: Vec<String> = (1..=5).map(|number| format!("chapter {number}.txt")).collect();
    let files = names.iter().fold(Folder::new(), |folder, name| folder.with(name, format!("text of {name}")));
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let found = bert.search("chapter").await;
    let numbers: Vec<String> = found.results.iter().map(|result| result.number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let _ = bert.get(&numbers).await.expect(ExitCode::Done);
    assert_eq!(bert.downloaded_names(), names);
    for name in &names {
        assert_eq!(bert.digest_of(name), files.digest(name));
    }

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_on_disk_gets_a_number_and_nothing_is_overwritten() {
    let files = Folder::new().with("notes.txt", "from anna");
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;
    fs::write(bert.downloaded("notes.txt"), "bert's own").unwrap();

    let first = find_and_fetch(&bert, "notes").await;
    let second = find_and_fetch(&bert, "notes").await;

    assert_ne!(first.path, second.path);
    assert_eq!(bert.downloaded_names(), ["notes (2).txt", "notes (3).txt", "notes.txt"]);
    assert_eq!(fs::read_to_string(bert.downloaded("notes.txt")).unwrap(), "bert's own");
    assert_eq!(fs::read_to_string(&first.path).unwrap(), "from anna");
    assert_eq!(fs::read_to_string(&second.path).unwrap(), "from anna");

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_does_not_exist_is_told() {
    let files = Folder::new().with("notes.txt", "from anna");
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let found = bert.search("notes").await;
    assert_eq!(found.results.len(), 1, "{found:#?}");
    let _ = bert.get(&["7"]).await.expect(ExitCode::NotFound);
    assert_eq!(bert.downloads().await, []);

    scene.stop_with([anna, bert]).await;
}
