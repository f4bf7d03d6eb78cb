//! `peerctl doctor` on real daemons: what only a running one can tell, and what can be told where none runs.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use hearsay_tests::{binaries, content::Folder, coordinator::Coordinator, peer::Peer, scene::Scene};
use protocol::control::{
    ExitCode,
    doctor::{Check, Examination, Verdict},
};

async fn check(peer: &Peer, name: &str) -> Check {
    let output = peer.peerctl(&["--json", "doctor"]).await;
    let Examination { checks, .. } = output.document();
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("{name} was not looked at: {checks:#?}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_knows_its_coordinator_and_which_of_its_ports_a_peer_has_reached() {
    let scene = Scene::start().await;
    let files = Folder::new().with("song.txt", "la la la");
    let anna = scene.peer("anna").sharing(files.path()).connected().await;
    let bert = scene.peer("bert").connected().await;

    let coordinator = check(&bert, "coordinator").await;
    assert!(coordinator.verdict == Verdict::Good && coordinator.finding.contains(" ms"), "{coordinator:?}");
    for name in ["clock", "session", "open_files", "shares"] {
        assert_eq!(check(&anna, name).await.verdict, Verdict::Good, "{name}");
    }
    assert_eq!(check(&bert, "download_port").await.verdict, Verdict::Unknown);
    bert.search("song").await;
    bert.fetch("1").await;
    assert_eq!(check(&bert, "download_port").await.verdict, Verdict::Good, "anna has dialled it");
    assert_eq!(check(&anna, "upload_port").await.verdict, Verdict::Unknown, "nobody had to dial it");

    let _ = bert.peerctl(&["disconnect"]).await.expect(ExitCode::Done);
    let _ = bert.peerctl(&["doctor"]).await.expect(ExitCode::Other);
    assert_eq!(check(&bert, "session").await.verdict, Verdict::Bad);
    scene.stop_with([anna, bert]).await;
}

/// What `peerctl doctor` finds wrong for somebody with this home, this socket and configuration, and no daemon: the names,
/// with what was found and how to mend it.
fn found_wrong(home: &Path, socket: &Path, configuration: &str) -> Vec<(String, String)> {
    let folder = home.join(".config/hearsay");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("peer-daemon.toml"), configuration).unwrap();
    let mut command = binaries::command("peerctl");
    command.env("HOME", home).env("HEARSAY_SOCKET", socket);
    let ran = command.args(["doctor", "--json"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(ExitCode::DaemonNotRunning as i32), "{ran:?}");
    let Examination { checks, .. } = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((checks[0].name.as_str(), checks[0].verdict), ("daemon", Verdict::Bad));
    // Whether this machine has swap is its own business.
    let others = checks.into_iter().skip(1).filter(|check| check.name != "swap");
    let wrong = others.filter(|check| check.verdict != Verdict::Good);
    wrong.map(|check| (check.name, format!("{} -> {}", check.finding, check.remedy.unwrap()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_all_that_a_start_would_meet_is_told_at_once() {
    let coordinator = Coordinator::reached_at(([127, 0, 0, 1], 0).into(), "").await;
    let url = format!("http://{}", coordinator.address());
    let home = Folder::new().with("music/song.txt", "la la la").with("file", "no folder");
    let home = home.path();
    let share = home.join("music");
    let ports = "listen = [\"127.0.0.1\"]\ndownload_port = 0\nupload_port = 0\ngui = \"127.0.0.1:0\"\n";
    let healthy = format!("coordinator = \"{url}\"\nshare = [{share:?}]\n{ports}");
    assert_eq!(found_wrong(home, &home.join("run/control.sock"), &healthy), []);
    assert!(
        !home.join(".local").exists() && !home.join("run").exists() && !home.join("Downloads").exists(),
        "it leaves something behind"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let open = home.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let broken = format!(
        "coordinator = \"http://127.0.0.1:1\"\nshare = [{:?}]\nlisten = [\"127.0.0.1\"]\n\
         download_port = {port}\nupload_port = {port}\ngui = \"127.0.0.1:{port}\"\ndownload_dir = {:?}\n\
         state_dir = {:?}\n",
        home.join("gone"),
        home.join("file/downloads"),
        home.join("file"),
    );
    let wrong = found_wrong(home, &open.join("control.sock"), &broken);
    for (name, part) in [
        ("state_directory", "file is no folder -> "),
        ("control_socket", "others may write to"),
        ("download_port", "peerctl start -- --download-port N"),
        ("upload_port", "is in use -> free it"),
        ("web_page", "--gui 127.0.0.1:0"),
        ("download_folder", "name another as download_dir"),
        ("shares", "gone does not exist"),
        ("coordinator", "http://127.0.0.1:1"),
    ] {
        let told = wrong.iter().find(|(told, _)| told == name);
        assert!(told.is_some_and(|(_, told)| told.contains(part)), "{name}: {wrong:#?}");
    }
    assert_eq!(wrong.len(), 8, "{wrong:#?}");

    let [(name, told)] = &found_wrong(home, &home.join("control.sock"), "shares = []\n")[..] else {
        panic!("a mistake is all there is to tell")
    };
    assert!(
        name == "configuration" && told.contains("line 1") && told.contains("peerctl config check"),
        "{told}"
    );
    coordinator.stop().await;
}
