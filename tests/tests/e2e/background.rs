//! A daemon in the background, without a service manager: `peerctl start`, `restart`, `stop` and `logs`.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use hearsay_tests::{
    binaries,
    content::Folder,
    coordinator::Coordinator,
    wait::{PATIENCE, until, within},
};
use protocol::control::{ExitCode, Status};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

/// Somebody whose daemons keep to free ports of loopback, and end with the test.
struct Home {
    folder: Folder,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn with_settings(lines: &str) -> Self {
        let home = Self { folder: Folder::new() };
        let config = home.path().join(".config/hearsay");
        fs::create_dir_all(&config).unwrap();
        let usual = "listen = [\"127.0.0.1\"]\ndownload_port = 0\nupload_port = 0\ngui = \"off\"\n";
        fs::write(config.join("peer-daemon.toml"), format!("{usual}{lines}")).unwrap();
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.path().join(".local/state/hearsay/daemon.log")
    }

    /// The last line of the log that is whole: the daemon may be in the middle of the next one.
    fn last_line(&self) -> String {
        // In this order: a log that was set aside between the two looks is seen at the second one.
        let [log, before] = [self.log(), protocol::paths::log_set_aside(&self.log(), 1)]
            .map(|file| fs::read_to_string(file).unwrap_or_default());
        let last =
            [log, before].iter().find_map(|text| text.rsplit_once('\n')?.0.lines().last().map(str::to_owned));
        last.unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binaries::command("peerctl");
        command.env("HOME", self.path()).current_dir(self.path()).args(arguments);
        command
    }

    fn peerctl(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    fn status(&self) -> Status {
        serde_json::from_str(&self.peerctl(&["--json", "status"]).exits(ExitCode::Done).stdout).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ends_it_if_it_runs = self.command(&["stop"]).output();
    }
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    fn exits(self, code: ExitCode) -> Self {
        assert_eq!(self.code, code as i32, "{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "{part:?} is not in: {}", self.stderr);
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_restarted_with_all_that_it_was_started_with() {
    let home = Home::with_settings("");
    let music = home.path().join("music");
    fs::create_dir(&music).unwrap();
    fs::write(music.join("song.mp3"), "la").unwrap();
    let downloads = home.path().join("from the environment");
    let mut start = home.command(&["start", "--", "--share", "music", "--download-port", "0"]);
    start.env("HEARSAY_DOWNLOAD_DIR", &downloads);
    Ran::of(&mut start).exits(ExitCode::Done);
    let shares_again = async || (!home.status().scanning).then(|| home.status().shared_files);
    assert_eq!(until("the shares are read", PATIENCE, shares_again).await, 1);

    // The folder is another one, and nothing of it is in the environment any more.
    for _ in 0..3 {
        Ran::of(home.command(&["restart"]).current_dir("/")).exits(ExitCode::Done);
        assert_eq!(until("the shares are read", PATIENCE, shares_again).await, 1);
    }
    let told = home.peerctl(&["config", "show"]).exits(ExitCode::Done).stdout;
    assert!(told.contains("from the environment"), "{told}");
    let log = home.peerctl(&["logs"]).exits(ExitCode::Done).stdout;
    assert_eq!((log.matches(" ready ").count(), log.matches(" ended").count()), (4, 3), "{log}");

    // Other arguments, then none that runs.
    let restarted = home.peerctl(&["restart", "--json", "--", "--upload-port", "0"]).exits(ExitCode::Done);
    let status: Status = serde_json::from_str(&restarted.stdout).unwrap();
    assert_eq!((status.schema, status.shared_files), (1, 0));
    home.peerctl(&["stop"]).exits(ExitCode::Done);
    home.peerctl(&["restart"]).exits(ExitCode::Done);
    home.peerctl(&["stop"]).exits(ExitCode::Done);
    home.peerctl(&["status"]).exits(ExitCode::DaemonNotRunning);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_connected_by_hand_is_connected_after_a_restart_and_the_log_tells_both() {
    let coordinator = Coordinator::start().await;
    let home = Home::with_settings(&format!("coordinator = \"http://{}\"\n", coordinator.address()));
    home.peerctl(&["start"]).exits(ExitCode::Done);
    home.peerctl(&["connect", "alice"]).exits(ExitCode::Done);
    let restarted = home.peerctl(&["restart"]).exits(ExitCode::Done).stdout;
    assert!(restarted.starts_with("connection   connected as alice\n"), "{restarted}");

    coordinator.stop().await;
    let log_has = async |words: &str| {
        let log = || async { fs::read_to_string(home.log()).ok().filter(|log| log.contains(words)) };
        until("it is in the log", PATIENCE, log).await
    };
    let log = log_has("not connected, and tried again: the coordinator can't be reached").await;
    assert_eq!(log.matches("connected to the coordinator").count(), 2, "{log}");
    let answer = home.peerctl(&["search", "song"]).exits(ExitCode::Unreachable);
    assert_eq!(answer.stderr.matches("can't be reached").count(), 1, "{}", answer.stderr);
    assert!(!answer.stderr.contains("os error"), "{}", answer.stderr);

    // Who is nobody stays it.
    home.peerctl(&["disconnect"]).exits(ExitCode::Done);
    let restarted = home.peerctl(&["restart"]).exits(ExitCode::Done).stdout;
    assert!(restarted.starts_with("connection   not connected"), "{restarted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_is_for_one_daemon_and_the_other_one_is_told() {
    let home = Home::with_settings("");
    home.peerctl(&["start"]).exits(ExitCode::Done);
    let elsewhere = home.path().join("other.sock");
    home.peerctl(&["--socket", elsewhere.to_str().unwrap(), "start"])
        .exits(ExitCode::Conflict)
        .says("in use by another daemon: stop that one, or name another directory with --state-dir");
    home.status();

    let state = home.path().join("other state");
    let state = state.to_str().unwrap();
    let beside = |arguments: &[&str]| {
        let arguments = [&["--socket", elsewhere.to_str().unwrap()], arguments].concat();
        home.peerctl(&arguments).exits(ExitCode::Done).stdout
    };
    beside(&["start", "--", "--state-dir", state]);
    assert!(beside(&["logs"]).contains(" ready "));
    assert!(fs::read_to_string(Path::new(state).join("daemon.log")).unwrap().contains(" ready "));
    beside(&["stop"]);
    home.status();
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_run_side_by_side_without_a_word_on_where() {
    let home = Home::with_settings("");
    home.peerctl(&["start"]).exits(ExitCode::Done);
    let on_loopback = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = home.command(arguments);
        command.env("HEARSAY_LISTEN", "127.0.0.1").envs(variables.iter().copied());
        Ran::of(&mut command).exits(ExitCode::Done).stdout
    };
    let profiles = ["work", "nas"].map(|profile| Running { home: &home, profile });
    let socket = home.path().join(".local/state/hearsay/control.sock");
    let places = [
        ("HEARSAY_SOCKET", socket.to_str().unwrap()),
        ("HEARSAY_STATE_DIR", "/nonexistent"),
        ("HEARSAY_CONFIG", "/nonexistent/peer-daemon.toml"),
    ];
    let mut ports = BTreeSet::new();
    for Running { profile, .. } in &profiles {
        // Named by a flag, it goes over variables that name places.
        on_loopback(&["--profile", profile, "start"], &places);
        let ask = |arguments: &[&str], variables: &[(&str, &str)]| -> Status {
            serde_json::from_str(&on_loopback(&[arguments, &["--json"]].concat(), variables)).unwrap()
        };
        let status = ask(&["status"], &[("HEARSAY_PROFILE", profile)]);
        assert_eq!(status.profile.as_deref(), Some(*profile));
        ports.extend([status.download_port, status.upload_port, status.gui.unwrap().port()]);
        // Once more, and seen from another start.
        let again = ask(&["--profile", profile, "restart"], &[]);
        assert_eq!((again.download_port, again.gui), (status.download_port, status.gui));
        assert_eq!(again.profile.as_deref(), Some(*profile));
        let told = on_loopback(&["--profile", profile, "status"], &places);
        assert!(told.lines().any(|line| line.split_whitespace().eq(["profile", profile])), "{told}");
        let log = on_loopback(&["--profile", profile, "logs"], &places);
        assert_eq!(log.matches(" ready ").count(), 2, "{log}");
    }
    assert_eq!(ports.len(), 6, "{ports:?}");
    assert_eq!(home.status().profile, None);
    for Running { profile, .. } in &profiles {
        home.peerctl(&["--profile", profile, "stop"]).exits(ExitCode::Done);
        home.peerctl(&["--profile", profile, "status"]).exits(ExitCode::DaemonNotRunning);
    }
    home.status();
}

/// A daemon with a profile, which ends with the test.
struct Running<'a> {
    home: &'a Home,
    profile: &'a str,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ends_it_if_it_runs = self.home.command(&["--profile", self.profile, "stop"]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_no_room_ends_nothing() {
    let home = Home::with_settings("");
    home.peerctl(&["start", "--", "--log-file", "/dev/full"]).exits(ExitCode::Done);
    home.status();
    home.peerctl(&["stop"]).exits(ExitCode::Done);
}

/// `peerctl logs --follow`, from the last line on.
struct Followed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Followed {
    /// Returns when that line has come: what is written from then on, comes.
    async fn begin(home: &Home) -> Self {
        let mut command = tokio::process::Command::from(home.command(&["logs", "--follow", "--lines", "1"]));
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut followed = Self { child, lines, seen: Vec::new() };
        followed.read_line().await;
        followed
    }

    async fn read_line(&mut self) {
        let next = within("a line of the log", PATIENCE, self.lines.next_line()).await;
        self.seen.push(next.unwrap().unwrap());
    }

    /// Reads until this has come.
    async fn catch_up_with(&mut self, line: &str) {
        while self.seen.last().is_none_or(|last| last != line) {
            self.read_line().await;
        }
    }

    async fn interrupt(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert!(within("following ends", PATIENCE, self.child.wait()).await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_bounded_while_the_daemon_runs_and_is_read_as_one() {
    const BYTES_MAX: usize = 8192;
    let home = Home::with_settings(&format!("log_file_bytes = {BYTES_MAX}\n"));
    Ran::of(home.command(&["start"]).env("RUST_LOG", "trace")).exits(ExitCode::Done);
    let set_aside = |number: u32| protocol::paths::log_set_aside(&home.log(), number);
    let mut followed = Followed::begin(&home).await;

    // Each call leaves lines in the log.
    let mut first = None;
    let mut full = 0;
    while full <= 4 {
        home.status();
        followed.catch_up_with(&home.last_line()).await;
        // Between two files, there is none.
        let Ok(number) = fs::metadata(home.log()).map(|log| log.ino()) else { continue };
        full += usize::from(first.replace(number).is_some_and(|before| before != number));
        assert!(followed.seen.len() < 10_000, "it does not get full");
    }
    home.peerctl(&["stop"]).exits(ExitCode::Done);
    followed.catch_up_with(&home.last_line()).await;

    let files: Vec<_> = [set_aside(3), set_aside(2), set_aside(1), home.log()]
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert!(!set_aside(4).exists());
    for file in &files {
        assert!(file.len() <= BYTES_MAX && file.ends_with('\n'), "{} bytes", file.len());
    }
    let kept = files.concat();
    let shown = home.peerctl(&["logs", "--lines", "100000"]).exits(ExitCode::Done).stdout;
    assert_eq!(shown, kept);
    assert!(format!("{}\n", followed.seen.join("\n")).ends_with(&kept), "a line was missed, or came twice");
    followed.interrupt().await;
}
