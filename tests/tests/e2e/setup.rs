//! `peerctl setup` from end to end, in a pseudo-terminal: from nothing to a daemon that is connected.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use hearsay_tests::{binaries, content::Folder, scene::Scene};

use crate::terminal::{CTRL_C, ENTER, Terminal};

/// peerctl for somebody whose home this is, in a terminal of 100 columns.
fn setup(home: &Path) -> Terminal {
    let mut command = binaries::command("peerctl");
    command.arg("setup").env_clear().envs([("HOME", home), ("HEARSAY_GUI", Path::new("off"))]);
    command.env("HEARSAY_LISTEN", "127.0.0.1").env("USER", "marta").env("NO_COLOR", "1");
    Terminal::run(&command, 100)
}

fn answer(terminal: &mut Terminal, question: &str, words: &str) {
    terminal.shows(question);
    terminal.types(&format!("{words}{ENTER}"));
}

/// Two ports that were free a moment ago.
fn free_ports() -> (u16, u16) {
    let bind = || std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let (one, two) = (bind(), bind());
    (one.local_addr().unwrap().port(), two.local_addr().unwrap().port())
}

/// The daemon that the wizard starts belongs to nobody; also after a failed test it ends.
struct Started<'a>(&'a Path);

impl Started<'_> {
    fn stop(&self) -> bool {
        let mut stop = binaries::command("peerctl");
        stop.arg("stop").env_clear().env("HOME", self.0);
        stop.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_questions_and_is_connected() {
    let scene = Scene::start().await;
    let anna = scene.peer("anna").connected().await;
    let home = Folder::new();
    let music = home.path().join("Music");
    fs::create_dir(&music).unwrap();
    fs::write(music.join("song to bob@example.org.mp3"), "la").unwrap();
    fs::write(music.join(".secret"), "x").unwrap();
    let file = home.path().join(".config/hearsay/peer-daemon.toml");
    let (download_port, upload_port) = free_ports();
    let started = Started(home.path());

    let mut terminal = setup(home.path());
    answer(&mut terminal, "Coordinator's address", "http://127.0.0.1:9");
    answer(&mut terminal, "all the same? [y/N]", "n");
    answer(&mut terminal, "can't be reached", &scene.url());
    answer(&mut terminal, "Username:", "x");
    terminal.shows("3 to 32");
    answer(&mut terminal, "Username:", "anna");
    terminal.shows("is taken; free may be anna-2, anna.peer, the-anna");
    terminal.types(&format!("Anna-2{ENTER}"));
    terminal.shows("it is free");
    answer(&mut terminal, "A folder to share", "~");
    terminal.shows("! this is your home folder");
    answer(&mut terminal, "? [y/N]", "");
    terminal.shows("no more)");
    terminal.types(&format!("~/Music{ENTER}"));
    terminal.shows("strangers would see 1 file, 2 B:\n  song to bob@example.org.mp3  2 B");
    terminal.shows("! names that look like e-mail addresses would be seen: song to bob@example.org.mp3");
    terminal.shows("! 1 hidden file or folder stays out");
    answer(&mut terminal, "/Music? [Y/n]", "");
    terminal.types(ENTER);
    answer(&mut terminal, "Downloads go to", "");
    answer(&mut terminal, "Port for downloads", &download_port.to_string());
    answer(&mut terminal, "Port for uploads", &download_port.to_string());
    terminal.shows("that is the other one's");
    terminal.types(&format!("{upload_port}{ENTER}"));
    answer(&mut terminal, "before a shared file is given", "y");
    answer(&mut terminal, "Write this to", "");
    answer(&mut terminal, "Start the daemon now?", "");
    terminal.shows("connected as Anna-2");
    let last = terminal.exits(0);
    assert!(last.last().unwrap().starts_with("what next: peerctl search WORDS"), "{last:#?}");

    let written = fs::read_to_string(&file).unwrap();
    for line in [
        "# Hearsay's peer-daemon reads this when it starts, and never writes it.".to_owned(),
        "username = \"Anna-2\"".to_owned(),
        format!("share = [\"{}\"]", music.display()),
        format!("download_port = {download_port}"),
        "policy = \"ask\"".to_owned(),
    ] {
        assert!(written.lines().any(|written| written == line), "{line}: {written}");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a draft is left");

    // Once more: what is there stays, unless the person says yes.
    let mut again = setup(home.path());
    answer(&mut again, "Write it anew? [y/N]", "");
    again.shows("nothing was changed");
    again.exits(0);
    let mut interrupted = setup(home.path());
    answer(&mut interrupted, "Write it anew?", "y");
    interrupted.shows("Coordinator's address");
    interrupted.types(CTRL_C);
    interrupted.exits(130);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "a draft is left");

    assert!(started.stop());
    scene.stop_with([anna]).await;
}
