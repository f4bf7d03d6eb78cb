//! What a person changes while the daemon runs: shares, links handed on, settings.

use std::fs;

use hearsay_tests::{
    content::Folder,
    peer::Peer,
    scene::Scene,
    wait::{PATIENCE, until},
};
use protocol::control::{Configuration, ExitCode, FileLink, Origin, Share, Shares};

/// Searches until exactly these names are found.
async fn finds(searcher: &Peer, query: &str, wanted: &[&str]) {
    let what = format!("a search for {query} finds {wanted:?}");
    until(&what, 2 * PATIENCE, async || {
        let output = searcher.peerctl(&["--json", "search", "--wait", "1", query]).await;
        let found: protocol::control::Search = output.document();
        let mut names: Vec<_> = found.results.iter().map(|result| result.name.as_str()).collect();
        names.sort_unstable();
        (names == wanted).then_some(())
    })
    .await;
}

async fn shares(peer: &Peer) -> Vec<Share> {
    peer.peerctl(&["--json", "share", "ls"]).await.expect(ExitCode::Done).document::<Shares>().shares
}

fn path_in(folder: &Folder, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_shared_and_taken_back_while_the_daemon_runs() {
    let scene = Scene::start().await;
    let (named, added) =
        (Folder::new().with("first song.ogg", "a"), Folder::new().with("late song.ogg", "bb"));
    let named_path = named.path().display().to_string();
    let added_path = added.path().display().to_string();
    let anna = scene.peer("anna").sharing(named.path()).connected().await;
    let bert = scene.peer("bert").connected().await;
    finds(&bert, "song", &["first song.ogg"]).await;

    let preview = anna.peerctl(&["share", "preview", &added_path]).await.expect(ExitCode::Done);
    assert!(preview.stdout.contains("late song.ogg"), "{preview:#?}");
    finds(&bert, "song", &["first song.ogg"]).await;

    let _added = anna.peerctl(&["share", "add", &added_path]).await.expect(ExitCode::Done);
    finds(&bert, "song", &["first song.ogg", "late song.ogg"]).await;
    // Nobody asks for a scan.
    fs::write(added.path().join("new song.ogg"), "ccc").unwrap();
    finds(&bert, "song", &["first song.ogg", "late song.ogg", "new song.ogg"]).await;
    fs::remove_file(added.path().join("late song.ogg")).unwrap();
    finds(&bert, "song", &["first song.ogg", "new song.ogg"]).await;

    let mut anna = anna.kill_and_start_again().await;
    anna.wait_until_connected().await;
    anna.wait_until_scanned().await;
    let seen: Vec<_> = shares(&anna).await.into_iter().map(|share| (share.origin, share.files)).collect();
    assert_eq!(seen, [(Origin::Flag, 1), (Origin::RunTime, 1)], "what was added outlives its daemon");
    finds(&bert, "song", &["first song.ogg", "new song.ogg"]).await;

    let refused = anna.peerctl(&["share", "rm", &named_path]).await.expect(ExitCode::Conflict);
    assert!(refused.stderr.contains("--share"), "{refused:#?}");
    let _removed = anna.peerctl(&["share", "rm", &added_path]).await.expect(ExitCode::Done);
    finds(&bert, "song", &["first song.ogg"]).await;
    let unknown = anna.peerctl(&["share", "rm", &added_path]).await.expect(ExitCode::NotFound);
    assert!(unknown.stderr.contains("peerctl share ls"), "{unknown:#?}");

    scene.stop_with([anna, bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_fetches_the_file_from_whoever_has_it() {
    let scene = Scene::start().await;
    let files = Folder::new().with_random("Ä song.ogg", 3_000_000, 7);
    let others = Folder::new().with("not shared.ogg", "x");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let link = anna.peerctl(&["--json", "link", &path_in(&files, "Ä song.ogg")]).await.expect(ExitCode::Done);
    let link = link.document::<FileLink>().link;
    let download = bert.fetch(&link).await;
    assert_eq!(download.name.as_str(), "Ä song.ogg");
    assert_eq!(bert.digest_of("Ä song.ogg"), files.digest("Ä song.ogg"));

    let not_shared = path_in(&others, "not shared.ogg");
    let refused = anna.peerctl(&["link", &not_shared]).await.expect(ExitCode::NotFound);
    assert!(refused.stderr.contains("peerctl share add"), "{refused:#?}");

    anna.stop().await;
    let nobody = bert.peerctl(&["get", &link]).await.expect(ExitCode::NotFound);
    assert!(nobody.stderr.contains("nobody who is connected"), "{nobody:#?}");
    let _broken = bert.peerctl(&["get", "hearsay:?root=12"]).await.expect(ExitCode::Usage);

    scene.stop_with([bert]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_made_at_run_time_outlives_the_daemon_and_gives_way_to_a_flag() {
    let scene = Scene::start().await;
    let peer = scene.peer("anna").configured("policy = \"auto\"\n").start().await;
    let told = peer.peerctl(&["config", "set", "policy", "ask"]).await.expect(ExitCode::Done);
    assert!(told.stderr.contains("from now on"), "{told:#?}");
    let told = peer.peerctl(&["config", "set", "public-upload-port", "5000"]).await.expect(ExitCode::Done);
    assert!(told.stderr.contains("from the next start on"), "{told:#?}");
    let told = peer.peerctl(&["config", "set", "username", "bert"]).await.expect(ExitCode::Done);
    assert!(told.stderr.contains("flag"), "{told:#?}");
    let refused = peer.peerctl(&["config", "set", "download-port", "80"]).await.expect(ExitCode::Usage);
    assert!(refused.stderr.contains("1024"), "{refused:#?}");
    let _unknown = peer.peerctl(&["config", "set", "colour", "red"]).await.expect(ExitCode::NotFound);

    let peer = peer.kill_and_start_again().await;
    let shown = peer.peerctl(&["--json", "config", "show"]).await.expect(ExitCode::Done);
    let shown: Configuration = shown.document();
    let value = |name: &str| {
        let setting = shown.settings.iter().find(|setting| setting.name == name).unwrap();
        (setting.value.as_deref(), setting.origin)
    };
    assert_eq!(value("policy"), (Some("ask"), Origin::RunTime));
    assert_eq!(value("username"), (Some("anna"), Origin::Flag));
    assert_eq!(value("join_key"), (None, Origin::Default));

    let path = peer.peerctl(&["config", "path"]).await.expect(ExitCode::Done);
    let file = path.stdout.trim_end();
    assert_eq!(fs::read_to_string(file).unwrap(), "policy = \"auto\"\n", "the file is the person's");
    let _right = peer.peerctl(&["config", "check", file]).await.expect(ExitCode::Done);
    let folder = Folder::new().with("wrong.toml", "\ngui = \"nowhere\"\n");
    let wrong = peer.peerctl(&["config", "check", &path_in(&folder, "wrong.toml")]).await;
    let wrong = wrong.expect(ExitCode::Usage);
    for word in ["wrong.toml", "line 2", "column 7"] {
        assert!(wrong.stderr.contains(word), "{word}: {wrong:#?}");
    }
    scene.stop_with([peer]).await;
}
