//! Names that are taken: by something in the download folder, or by another download.

use std::{collections::HashSet, fs};

use hearsay_tests::{content::Folder, peer::Peer, scene::Scene};
use protocol::{
    SafeName,
    control::{Cause, DownloadState, Downloads, ExitCode},
};

/// Anna shares `notes.txt`, and bert has another one in his download folder.
struct Stage {
    scene: Scene,
    _files: Folder,
    anna: Peer,
    bert: Peer,
}

impl Stage {
    async fn with(configuration: &str) -> Self {
        let files = Folder::new().with("notes.txt", "from anna");
        let scene = Scene::start().await;
        let anna = scene.peer("anna").sharing(files.path()).connected().await;
        let bert = scene.peer("bert").configured(configuration).connected().await;
        fs::write(bert.downloaded("notes.txt"), "bert's own").unwrap();
        assert_eq!(bert.search("notes").await.results.len(), 1);
        Self { scene, _files: files, anna, bert }
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.bert.downloaded("notes.txt")).unwrap()
    }

    async fn stop(self) {
        self.scene.stop_with([self.anna, self.bert]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_replaced_only_when_that_is_asked_for() {
    let stage = Stage::with("").await;
    let output = stage.bert.get(&["1", "--conflict", "overwrite"]).await.expect(ExitCode::Done);
    let Downloads { downloads, .. } = output.document();
    assert_eq!(downloads[0].path, stage.bert.downloaded("notes.txt").display().to_string());
    assert_eq!(stage.notes(), "from anna");
    assert_eq!(stage.bert.downloaded_names(), ["notes.txt"]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_skipped_at_once_and_the_source_is_not_asked() {
    let stage = Stage::with("conflict = \"skip\"").await;
    let output = stage.bert.get(&["1"]).await.expect(ExitCode::Conflict);
    let Downloads { downloads, .. } = output.document();
    let skipped = &downloads[0];
    assert_eq!(
        (skipped.state, skipped.cause),
        (DownloadState::Failed, Some(Cause::NameTaken)),
        "{skipped:?}"
    );
    assert!(skipped.reason.as_deref().unwrap_or_default().contains("is there already"), "{skipped:?}");
    assert_eq!((stage.notes().as_str(), stage.anna.uploads().await), ("bert's own", vec![]));
    assert_eq!(stage.bert.downloaded_names(), ["notes.txt"]);

    let _ = stage.bert.get(&["1", "--conflict", "rename"]).await.expect(ExitCode::Done);
    assert_eq!(stage.bert.downloaded_names(), ["notes (2).txt", "notes.txt"]);
    fs::remove_file(stage.bert.downloaded("notes.txt")).unwrap();
    stage.bert.change("retry", skipped).await;
    stage.bert.finish(skipped).await;
    assert_eq!(stage.notes(), "from anna");
    stage.stop().await;
}

/// Pitfall 7: a later copy to a disk that takes both names for one loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_fold_to_one_are_numbered_apart() {
    let texts = [("Summer.txt", "one"), ("summer.TXT", "two"), ("SUMMER.txt", "three")];
    let files = texts.iter().fold(Folder::new(), |folder, (name, text)| folder.with(name, text));
    let scene = Scene::start().await;
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;
    let found = bert.search("summer").await;
    let numbers: Vec<String> = found.results.iter().map(|result| result.number.to_string()).collect();
    let mut arguments: Vec<&str> = numbers.iter().map(String::as_str).collect();
    arguments.extend(["--conflict", "overwrite"]);
    let _ = bert.get(&arguments).await.expect(ExitCode::Done);

    let names = bert.downloaded_names();
    let folded: HashSet<String> =
        names.iter().map(|name| SafeName::parse(name).unwrap().folding_key()).collect();
    assert_eq!((names.len(), folded.len()), (3, 3), "{names:?}");
    let mut contents: Vec<_> =
        names.iter().map(|name| fs::read_to_string(bert.downloaded(name)).unwrap()).collect();
    contents.sort();
    assert_eq!(contents, ["one", "three", "two"]);
    scene.stop_with([anna, bert]).await;
}
