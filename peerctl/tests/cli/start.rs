//! `peerctl start` with a script in the daemon's place, found through `PATH`.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::fake_daemon::{FakeDaemon, Ran, status};

/// A folder for `PATH` with a `peer-daemon` that is a shell script, and a peerctl that has none beside it.
fn install(folder: &Path, script: &str) -> Command {
    let (bin, alone) = (folder.join("bin"), folder.join("alone"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&alone).unwrap();
    let daemon = bin.join("peer-daemon");
    std::fs::write(&daemon, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_peerctl"), alone.join("peerctl")).unwrap();
    let mut peerctl = Command::new(alone.join("peerctl"));
    peerctl.env_clear().env("HOME", folder).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    peerctl
}

#[test]
fn a_daemon_that_runs_already_is_left_alone() {
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, status("alice"));
    let mut peerctl = install(&daemon.folder(), "touch \"$HOME/started\"");
    let ran = Ran::of(peerctl.arg("--socket").arg(daemon.socket()).arg("start").output().unwrap());
    ran.exits(0).says("already running");
    assert!(!daemon.folder().join("started").exists());
}

#[test]
fn a_started_daemon_is_waited_for_and_outlives_peerctl_in_a_group_of_its_own() {
    let daemon = FakeDaemon::absent().answers("GET /v1/status", 200, status("alice"));
    let told = daemon.folder().join("told");
    let mut peerctl = install(&daemon.folder(), "echo \"$$ $*\" > \"$HOME/told\"; exec sleep 60");
    peerctl.arg("--socket").arg(daemon.socket()).args(["start", "--", "--share", "/s"]);
    let mut running = peerctl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let line = loop {
        match std::fs::read_to_string(&told) {
            Ok(line) if line.ends_with('\n') => break line,
            _ => std::thread::yield_now(),
        }
    };
    assert!(running.try_wait().unwrap().is_none(), "it returned before the daemon answers");
    daemon.listen();
    let ran = Ran::of(running.wait_with_output().unwrap()).exits(0);
    assert!(ran.stdout.contains("connected as alice"), "{ran:?}");

    let (pid, arguments) = line.trim_end().split_once(' ').unwrap();
    let log = daemon.folder().join(".local/state/hearsay/daemon.log");
    let (socket, log) = (daemon.socket().display().to_string(), log.display().to_string());
    assert_eq!(arguments, format!("--socket {socket} --share /s --log-file {log}"));
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn a_daemon_that_ends_at_once_is_told_with_its_words_and_its_code() {
    let daemon = FakeDaemon::absent();
    let mut peerctl = install(&daemon.folder(), "echo \"share $4 is missing\" >&2; exit 2");
    let arguments = ["start", "--", "--share", "/nowhere"];
    let ran = Ran::of(peerctl.arg("--socket").arg(daemon.socket()).args(arguments).output().unwrap());
    ran.exits(2).prints("").says("share /nowhere is missing");
    let log = daemon.folder().join(".local/state/hearsay/daemon.log");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "share /nowhere is missing\n");
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn only_the_words_of_this_start_are_told() {
    let daemon = FakeDaemon::absent();
    let state = daemon.folder().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("daemon.log"), "of last week\n").unwrap();
    let mut peerctl = install(&daemon.folder(), "echo of today >&2; exit 1");
    let ran = Ran::of(
        peerctl
            .arg("--socket")
            .arg(daemon.socket())
            .args(["start", "--", "--state-dir"])
            .arg(&state)
            .output()
            .unwrap(),
    )
    .exits(1)
    .says("of today");
    assert!(!ran.stderr.contains("of last week"), "{ran:?}");
}

#[test]
fn who_can_not_be_seen_is_not_restarted_blindly() {
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, status("alice"));
    daemon.peerctl(&["restart"]).exits(1).prints("").says("peerctl restart -- ARGUMENTS");
    assert!(daemon.asked().iter().all(|asked| asked.line.starts_with("GET")), "it was stopped");
}

#[test]
fn a_missing_daemon_is_told() {
    let daemon = FakeDaemon::absent();
    let mut peerctl = install(&daemon.folder(), "");
    std::fs::remove_file(daemon.folder().join("bin/peer-daemon")).unwrap();
    let ran = Ran::of(peerctl.arg("--socket").arg(daemon.socket()).arg("start").output().unwrap());
    ran.exits(1).says("can't be started").says("in PATH");
}

/// As systemd answers of a unit of the person's.
const SYSTEMCTL: &str =
    "#!/bin/sh\n[ \"$1 $3 $4\" = \"--user --quiet peer-daemon.service\" ] && [ $2 = \"$ANSWERS_YES_TO\" ]\n";

/// peerctl where systemd says yes to one question about the daemon's unit.
fn beside_systemd(daemon: &FakeDaemon, yes: &str) -> Command {
    let mut peerctl = install(&daemon.folder(), "touch \"$HOME/started\"; echo it starts >&2; exit 1");
    let systemctl = daemon.folder().join("bin/systemctl");
    std::fs::write(&systemctl, SYSTEMCTL).unwrap();
    std::fs::set_permissions(&systemctl, std::fs::Permissions::from_mode(0o755)).unwrap();
    peerctl.env("ANSWERS_YES_TO", yes);
    peerctl
}

fn add_unit(daemon: &FakeDaemon) {
    let units = daemon.folder().join(".config/systemd/user");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::write(units.join("peer-daemon.service"), "[Service]\n").unwrap();
}

#[test]
fn a_daemon_that_systemd_starts_gets_no_second_one_beside_it() {
    let daemon = FakeDaemon::absent();
    let started = daemon.folder().join("started");
    let ran = |verb: &str, yes: &str| Ran::of(beside_systemd(&daemon, yes).arg(verb).output().unwrap());
    // Without a unit, systemd is not asked.
    ran("start", "is-enabled").exits(1).says("it starts");
    std::fs::remove_file(&started).unwrap();

    add_unit(&daemon);
    for (verb, yes) in [("start", "is-enabled"), ("start", "is-active"), ("restart", "is-enabled")] {
        ran(verb, yes).exits(5).prints("").says("systemctl --user start peer-daemon.service");
        assert!(!started.exists(), "{verb}, {yes}");
    }
    // It is there, and the person does not use it.
    ran("start", "nothing").exits(1).says("it starts");
}

#[test]
fn the_doctor_tells_what_becomes_of_the_unit_of_a_daemon_that_does_not_answer() {
    let daemon = FakeDaemon::absent();
    let of_service = |arguments: &[&str], yes: &str| {
        let ran = beside_systemd(&daemon, yes).args(arguments).args(["doctor", "--json"]).output().unwrap();
        let told: serde_json::Value = serde_json::from_str(&Ran::of(ran).exits(3).stdout).unwrap();
        let checks = told["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "service")?;
        let told = ["verdict", "finding", "remedy"].map(|part| check[part].as_str().unwrap().to_owned());
        Some(told.join(" | "))
    };
    assert_eq!(of_service(&[], "is-failed"), None, "there is no unit");

    add_unit(&daemon);
    let why = "see why: journalctl --user -u peer-daemon.service";
    for (yes, told) in [
        ("is-failed", format!("bad | peer-daemon.service has failed | {why}")),
        ("is-active", format!("bad | peer-daemon.service runs, and does not answer yet | {why}")),
        (
            "is-enabled",
            "bad | peer-daemon.service does not run | systemctl --user start peer-daemon.service".to_owned(),
        ),
        (
            "nothing",
            "unknown | peer-daemon.service is there, and systemd does not start it | to have it started at each \
             login: systemctl --user enable --now peer-daemon.service"
                .to_owned(),
        ),
    ] {
        assert_eq!(of_service(&[], yes), Some(told));
    }
    let socket = daemon.socket().display().to_string();
    assert_eq!(of_service(&["--socket", &socket], "is-failed"), None, "it is another one's");
}
