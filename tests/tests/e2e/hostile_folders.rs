//! Folders from sources that are played by hand: what arrives is the very folder, or as much of it as is right, and
//! nothing is written anywhere else.

use std::fs;

use hearsay_tests::{
    content::{Folder, names_in},
    peer::Peer,
    scene::Scene,
    scripted::{Manner, Offered},
    steering::PIECE,
    wait::{PATIENCE, RECOVERY},
};
use protocol::{
    FolderSummary, Username,
    control::{Cause, Download, DownloadState, FolderProgress},
};

fn random(size: usize, seed: u64) -> Vec<u8> {
    Folder::new().with_random("random", size, seed).read("random")
}

/// Carl's daemon without a source.
async fn carl(scene: &Scene) -> Peer {
    scene.peer("carl").connected().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_arrives_with_its_structure() {
    let large = random(2 * PIECE + 77, 1);
    let files: [(&str, &[u8], Manner); 5] = [
        ("cover.jpg", b"a picture", Manner::Honest),
        ("disc 1/01.flac", &large, Manner::Honest),
        ("disc 1/02.flac", b"short", Manner::Honest),
        ("disc 2/01.flac", b"short", Manner::Honest),
        ("notes/empty", b"", Manner::Honest),
    ];
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(Offered::folder("Album", &files));
    let carl = carl(&scene).await;
    let download = carl.begin("album").await;
    assert_eq!(download.folder, Some(FolderProgress { files: 5, finished: 0 }));
    let finished = carl.finish(&download).await;

    assert_eq!(finished.folder, Some(FolderProgress { files: 5, finished: 5 }));
    assert_eq!(finished.path, carl.downloaded("Album").display().to_string());
    for (path, content, _) in files {
        assert_eq!(fs::read(carl.downloaded("Album").join(path)).unwrap(), content, "{path}");
    }
    assert_eq!(carl.downloaded_names(), ["Album"]);
    assert_eq!(names_in(&carl.downloaded("Album")), ["cover.jpg", "disc 1", "disc 2", "notes"]);
    let why = carl.why(&download).await;
    let told: Vec<_> = why.steps.iter().map(|step| step.sentence.as_str()).collect();
    assert!(told.contains(&"the listing came: 5 files"), "{told:#?}");
    assert_eq!(mallory.asked_for_content(b""), 0, "an empty file was asked for");
    drop(mallory);
    scene.stop_with([carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_listing_of_a_folder_makes_nothing_on_the_disk() {
    let root = "0".repeat(64);
    let listed = |path: &str| format!(r#"{{"path":"{path}","size":3,"root":"{root}"}}"#);
    let listing = |files: &[String]| format!(r#"{{"files":[{}]}}"#, files.join(","));
    let cases = [
        ("no listing", "a picture of a folder".to_owned()),
        ("a way out", listing(&[listed("../../outside")])),
        ("an absolute path", listing(&[listed("/tmp/outside")])),
        ("a hidden file", listing(&[listed(".ssh")])),
        ("a path twice", listing(&[listed("a"), listed("a")])),
        ("a file for a folder", listing(&[listed("a"), listed("a/b")])),
        ("an empty file with another root", listing(&[listed("a").replace(":3", ":0")])),
        ("nothing", listing(&[])),
    ];
    let told = FolderSummary { files: 2, bytes: 6 };
    let offer = |(name, text): &(&str, String)| {
        Offered::listing(&format!("broken, {name}"), text.clone().into_bytes(), told, Manner::Honest)
    };
    let mut offers: Vec<_> = cases.iter().map(offer).collect();
    let honest = Offered::folder("broken, wrong bytes", &[("a", b"abc", Manner::Honest)]).remove(1);
    offers.push(honest.behaving(Manner::Changes));

    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(offers);
    let carl = carl(&scene).await;
    let found = carl.search("broken").await.results;
    assert_eq!(found.len(), cases.len() + 1);
    for result in found {
        let download = carl.begin_result(&result.number.to_string()).await;
        let ended = carl.end_of(&download).await;
        assert_eq!((ended.state, ended.cause), (DownloadState::Failed, Some(Cause::Integrity)), "{ended:?}");
        let reason = ended.reason.unwrap_or_default();
        let is_another = result.name.as_str() == "broken, wrong bytes";
        assert_eq!(reason.contains("what the source calls a folder is none"), !is_another, "{reason}");
    }
    assert_eq!(carl.downloaded_names(), [""; 0]);
    drop(mallory);
    scene.stop_with([carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_fold_together_are_numbered_apart() {
    let files: [(&str, &[u8], Manner); 4] = [
        ("Sub/x", b"one", Manner::Honest),
        ("sub/X", b"two", Manner::Honest),
        ("sub/x", b"three", Manner::Honest),
        ("SUB", b"four", Manner::Honest),
    ];
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(Offered::folder("Folded", &files));
    let carl = carl(&scene).await;
    let download = carl.begin("folded").await;
    carl.finish(&download).await;
    let read = |path: &str| fs::read_to_string(carl.downloaded("Folded").join(path)).unwrap();
    assert_eq!(names_in(&carl.downloaded("Folded")), ["SUB", "Sub (2)", "sub (3)"]);
    assert_eq!(
        [read("SUB"), read("Sub (2)/x"), read("sub (3)/X"), read("sub (3)/x (2)")],
        ["four", "one", "two", "three"]
    );
    drop(mallory);
    scene.stop_with([carl]).await;
}

/// In the middle of a small file, and of a large one: what had come before stays, and so does the half of the large one.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_within_a_folder_is_left_for_another_one() {
    let large = random(4 * PIECE, 4);
    let folder = |silent: [Manner; 2]| {
        let files: [(&str, &[u8], Manner); 4] = [
            ("a first", b"before it all", Manner::Honest),
            ("b large", &large, silent[0]),
            ("c small", b"in the middle of it", silent[1]),
            ("d last", b"after it all", Manner::Honest),
        ];
        Offered::folder("Silence", &files)
    };
    let scene = Scene::start().await;
    let first = folder([Manner::FallsSilentMidway, Manner::Honest]);
    let mallory = scene.scripted_peer("mallory").await.offering(first);
    let carl = scene.peer("carl").configured("download_idle = \"3s\"\n").connected().await;
    let download = carl.begin("silence").await;
    let half = (b"before it all".len() + 2 * PIECE) as u64;
    carl.wait_for_download(&download, "stands still", PATIENCE, |now| now.received == half).await;
    let second = folder([Manner::Honest, Manner::FallsSilentMidway]);
    let berta = scene.scripted_peer("berta").await.offering(second);
    let of_berta = |now: &Download| now.username.as_str() == "berta" && now.received > half;
    carl.wait_for_download(&download, "goes on at berta", RECOVERY, of_berta).await;
    assert_eq!(berta.asked_for_content(b"before it all"), 0, "what was there is asked for again");
    drop(mallory);
    let anna = scene.scripted_peer("anna").await.offering(folder([Manner::Honest, Manner::Honest]));
    let ended = carl.end_of(&download).await;
    assert_eq!((ended.state, ended.username.as_str()), (DownloadState::Finished, "anna"), "{ended:?}");
    assert_eq!(anna.asked_for_content(&large), 0, "what was there is asked for again");
    assert_eq!(fs::read(carl.downloaded("Silence/b large")).unwrap(), large);
    let why = carl.why(&download).await;
    let silent: Vec<_> = why.steps.iter().filter(|step| step.step == "stream_silent").collect();
    let mut who: Vec<_> =
        silent.iter().filter_map(|step| step.username.as_ref()).map(Username::as_str).collect();
    // Asked once more where the other one had not come yet.
    who.dedup();
    assert_eq!(who, ["mallory", "berta"], "{why:#?}");
    assert!(silent.iter().all(|step| step.sentence.contains("for 3 seconds")), "{silent:#?}");
    drop((anna, berta));
    scene.stop_with([carl]).await;
}

/// One that is wrong among them is asked for again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn small_files_that_are_side_by_side_come_with_one_request() {
    let large = random(2 * PIECE, 5);
    let files: [(&str, &[u8], Manner); 7] = [
        ("a", b"first", Manner::Honest),
        ("b empty", b"", Manner::Honest),
        ("b wrong", b"second", Manner::Changes),
        ("c/a", b"third", Manner::Honest),
        ("c/large", &large, Manner::Honest),
        ("d", b"fourth", Manner::Honest),
        ("e", b"fifth", Manner::Honest),
    ];
    let mut offers = Offered::folder("Together", &files);
    let listing = offers.pop().unwrap();
    let listed = listing.content().to_vec();
    offers.push(listing.behaving(Manner::GivesTogether));
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(offers);
    let carl = carl(&scene).await;
    let ended = carl.end_of(&carl.begin("together").await).await;

    assert_eq!(ended.folder, Some(FolderProgress { files: 7, finished: 6 }), "{ended:?}");
    for (path, content, manner) in files {
        let path = carl.downloaded("Together.part").join(path);
        assert_eq!(
            fs::read(&path).ok(),
            matches!(manner, Manner::Honest).then(|| content.to_vec()),
            "{path:?}"
        );
    }
    assert_eq!(
        mallory.asked_for_content(&listed),
        1 + 2,
        "itself, and what is before and after the large one"
    );
    let alone = files.map(|(_, content, _)| mallory.asked_for_content(content));
    assert_eq!(alone, [0, 0, 1, 0, 1, 0, 0]);
    drop(mallory);
    scene.stop_with([carl]).await;
}

/// What it lacks is named; the rest is there, and stays for another try.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_source_does_not_give_do_not_stop_the_others() {
    let large = random(3 * PIECE, 2);
    let files: [(&str, &[u8], Manner); 6] = [
        ("a refused", b"no", Manner::Refuses),
        ("b large and wrong", &large, Manner::Changes),
        ("c right", b"yes", Manner::Honest),
        ("d wrong", b"another", Manner::Changes),
        ("deep/e right", &large[..2 * PIECE], Manner::Honest),
        ("f right", b"yes, too", Manner::Honest),
    ];
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(Offered::folder("Holes", &files));
    let carl = carl(&scene).await;
    let download = carl.begin("holes").await;
    let ended = carl.end_of(&download).await;

    assert_eq!((ended.state, ended.cause), (DownloadState::Failed, Some(Cause::Integrity)), "{ended:?}");
    assert_eq!(ended.folder, Some(FolderProgress { files: 6, finished: 3 }));
    let reason = ended.reason.clone().unwrap_or_default();
    assert!(
        reason.starts_with("3 of the files could not be had, b large and wrong among them: "),
        "{reason}"
    );
    let part = carl.downloaded("Holes.part");
    assert_eq!(fs::read(part.join("deep/e right")).unwrap(), large[..2 * PIECE]);
    assert!(!part.join("d wrong").exists() && !part.join("a refused").exists());
    assert_eq!(mallory.asked_for_content(b"another"), 2, "asked for once more, and not more often");
    assert_eq!(mallory.asked_for_content(b"yes"), 1);

    carl.change("retry", &download).await;
    carl.end_of(&download).await;
    assert_eq!(mallory.asked_for_content(b"yes"), 1, "what is there was fetched again");

    fs::write(part.join("own"), "mine").unwrap();
    carl.change("cancel", &download).await;
    assert_eq!(names_in(&part), ["own"], "a person's own file stays, and nothing else");
    fs::remove_dir_all(&part).unwrap();
    drop(mallory);
    scene.stop_with([carl]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_source_gives_what_the_first_one_does_not() {
    let large = random(3 * PIECE, 3);
    let with = |first: Manner, second: Manner| -> Vec<Offered> {
        Offered::folder(
            "Shared",
            &[("a", b"small", first), ("b/c", &large, second), ("d", b"last", Manner::Honest)],
        )
    };
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(with(Manner::Changes, Manner::Truncates));
    let carl = carl(&scene).await;
    let download = carl.begin("shared").await;
    carl.wait_for_download(&download, "has its stream", PATIENCE, |now| {
        now.folder.is_some_and(|folder| folder.files == 3)
    })
    .await;
    let anna = scene.scripted_peer("anna").await.offering(with(Manner::Honest, Manner::Honest));
    let ended = carl.end_of(&download).await;
    assert_eq!((ended.state, ended.username.as_str()), (DownloadState::Finished, "anna"), "{ended:?}");
    assert_eq!(fs::read(carl.downloaded("Shared/b/c")).unwrap(), large);
    assert_eq!(fs::read(carl.downloaded("Shared/a")).unwrap(), b"small");
    assert_eq!(carl.downloaded_names(), ["Shared"]);
    drop((mallory, anna));
    scene.stop_with([carl]).await;
}

/// To wait for all of them would take minutes, and with more of them days.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_refuses_file_after_file_in_its_own_time_makes_way() {
    let paths: Vec<_> = (0..100).map(|number| format!("{number}")).collect();
    let files: Vec<_> =
        paths.iter().map(|path| (path.as_str(), path.as_bytes(), Manner::RefusesLate)).collect();
    let scene = Scene::start().await;
    let mallory = scene.scripted_peer("mallory").await.offering(Offered::folder("Mirage", &files));
    let shared = Folder::new().with("other.txt", "something else");
    let anna = scene.peer("anna").sharing(shared.path()).connected().await;
    let carl = scene.peer("carl").configured("download_slow_after = \"2s\"\n").connected().await;
    let mirage = carl.begin("mirage").await;
    let has_slot = |now: &Download| now.state == DownloadState::Transferring;
    carl.wait_for_download(&mirage, "has the slot", PATIENCE, has_slot).await;

    let other = carl.begin("other").await;
    carl.finish(&other).await;
    let why = carl.why(&mirage).await;
    assert!(why.steps.iter().any(|step| step.step == "stream_slow"), "{why:#?}");
    drop(mallory);
    scene.stop_with([anna, carl]).await;
}
