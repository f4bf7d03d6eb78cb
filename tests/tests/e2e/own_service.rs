//! `peerctl setup` where the person's systemd runs: a program in the place of `systemctl` does what systemd would.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use hearsay_tests::{binaries, content::Folder, scene::Scene};

use crate::terminal::{ENTER, Terminal};

/// Starts what the unit says, and returns when it is there.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/systemctl.log"
[ "$2" = enable ] || exit 0
program=$(sed -n 's/^ExecStart=//p' "$HOME/.config/systemd/user/peer-daemon.service")
HEARSAY_LISTEN=127.0.0.1 HEARSAY_GUI=off setsid "$program" >> "$HOME/journal" 2>&1 < /dev/null &
for _ in $(seq 400); do
    [ -S "$HOME/.local/state/hearsay/control.sock" ] && exit 0
    sleep 0.05
done
echo "it does not start" >&2
exit 1
"#;

struct Home(Folder);

impl Home {
    fn new() -> Self {
        let home = Folder::new();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(bin.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        Self(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn peerctl(&self, verb: &str) -> Command {
        let mut command = binaries::command("peerctl");
        let path = format!("{}:/usr/bin:/bin", self.path().join("bin").display());
        command.arg(verb).env_clear().env("HOME", self.path()).env("PATH", path);
        command.env("USER", "marta").env("NO_COLOR", "1");
        command
    }

    /// Answers all that comes before the start, as somebody without wishes.
    fn answers(&self, coordinator: &str) -> Terminal {
        let mut terminal = Terminal::run(&self.peerctl("setup"), 200);
        if self.path().join(".config/hearsay/peer-daemon.toml").exists() {
            answer(&mut terminal, "Write it anew?", "y");
        }
        answer(&mut terminal, "Coordinator's address", coordinator);
        answer(&mut terminal, "Username:", "marta");
        answer(&mut terminal, "A folder to share", "");
        answer(&mut terminal, "Downloads go to", "");
        let ports = [(); 2].map(|()| std::net::TcpListener::bind("0.0.0.0:0").unwrap());
        let [download, upload] = ports.map(|port| port.local_addr().unwrap().port().to_string());
        answer(&mut terminal, "Port for downloads", &download);
        answer(&mut terminal, "Port for uploads", &upload);
        answer(&mut terminal, "before a shared file is given", "");
        answer(&mut terminal, "Write this to", "");
        terminal
    }

    fn stop(&self) -> bool {
        self.peerctl("stop").output().is_ok_and(|ran| ran.status.success())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(terminal: &mut Terminal, question: &str, words: &str) {
    terminal.shows(question);
    terminal.types(&format!("{words}{ENTER}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_makes_the_daemon_a_service_and_leaves_a_unit_that_was_edited() {
    let scene = Scene::start().await;
    let home = Home::new();
    let unit = home.path().join(".config/systemd/user/peer-daemon.service");

    let mut terminal = home.answers(&scene.url());
    answer(&mut terminal, "whenever you log in", "");
    terminal.shows("connected as marta");
    let last = terminal.exits(0).join("\n");
    assert!(last.contains("to undo that: systemctl --user disable --now peer-daemon; rm "), "{last}");
    let written = fs::read_to_string(&unit).unwrap();
    let program = binaries::command("peer-daemon").get_program().to_str().unwrap().to_owned();
    assert!(
        written.contains(&format!("\nExecStart={program}\n")) && written.contains("Type=notify"),
        "{written}"
    );
    let asked = fs::read_to_string(home.path().join("systemctl.log")).unwrap();
    let enabled = "--user daemon-reload\n--user enable --now peer-daemon.service\n";
    assert_eq!(asked, format!("--user show-environment\n{enabled}"));
    assert!(home.stop());

    // Another time; the person has edited the unit meanwhile.
    let edited = format!("{written}# mine\n");
    fs::write(&unit, &edited).unwrap();
    let mut terminal = home.answers(&scene.url());
    answer(&mut terminal, "whenever you log in", "");
    answer(&mut terminal, "says something else. Write it anew? [y/N]", "");
    terminal.shows("connected as marta");
    terminal.exits(0);
    assert_eq!(fs::read_to_string(&unit).unwrap(), edited);
    assert!(home.stop());
    scene.stop().await;
}
