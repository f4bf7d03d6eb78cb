//! The programs as a service manager runs them: what it hears, sockets and secrets that it hands over, and the units.
//! There is no systemd here that could start them; its tools and its ear are.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use hearsay_tests::{
    binaries, coordinator,
    notify::NotifySocket,
    peer, peerctl,
    process::Program,
    wait::{PATIENCE, until},
};
use protocol::{
    SessionToken,
    control::{ExitCode, Status},
    session::ConnectRequest,
};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Well before the manager would miss them.
const WATCHDOG_MICROSECONDS: u64 = 300_000;

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status text of a notification.
fn status_text(lines: &[String]) -> &str {
    lines.iter().find_map(|line| line.strip_prefix("STATUS=")).unwrap_or_else(|| panic!("{lines:?}"))
}

/// What systemd does for a socket unit: it listens, and runs the program when somebody comes.
fn activated(sockets: &[(&str, String)], program: &Command) -> Command {
    let mut command = Command::new("systemd-socket-activate");
    for (_, place) in sockets {
        command.arg("--listen").arg(place);
    }
    let names: Vec<_> = sockets.iter().map(|(name, _)| *name).collect();
    command.arg(format!("--fdname={}", names.join(":")));
    command.arg(program.get_program()).args(program.get_args());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_tells_its_service_manager_how_it_is() {
    let (folder, manager) = (TempDir::new().unwrap(), NotifySocket::open());
    let mut command = coordinator::command();
    manager.listen_to(command.args(["--listen", "127.0.0.1:0"]), WATCHDOG_MICROSECONDS);
    let program = Program::start("coordinator", &mut command, folder.path());

    let ready = manager.hears("READY=1").await;
    let address: SocketAddr = status_text(&ready).strip_prefix("listening on ").unwrap().parse().unwrap();
    TcpStream::connect(address).await.expect("it is ready");
    for _ in 0..3 {
        manager.hears("WATCHDOG=1").await;
    }
    program.signal(Signal::HUP);
    let reloading = manager.hears("RELOADING=1").await;
    assert!(reloading.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{reloading:?}");
    assert!(status_text(&manager.hears("READY=1").await).contains("read again"));
    program.signal(Signal::TERM);
    assert!(status_text(&manager.hears("STOPPING=1").await).contains("draining"));
    let mut program = program;
    assert_eq!(program.exit_code().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_tells_its_service_manager_how_it_is() {
    let (home, manager) = (TempDir::new().unwrap(), NotifySocket::open());
    let mut command = peer::command(home.path());
    let mut program =
        Program::start("peer-daemon", manager.listen_to(&mut command, WATCHDOG_MICROSECONDS), home.path());
    let ready = manager.hears("READY=1").await;
    let status: Status = peerctl::run(&peer::socket_in(home.path()), &["--json", "status"])
        .await
        .expect(ExitCode::Done)
        .document();
    assert!(
        status_text(&ready).contains(&format!("downloads on port {},", status.download_port)),
        "{ready:?}"
    );
    for _ in 0..3 {
        manager.hears("WATCHDOG=1").await;
    }
    program.signal(Signal::TERM);
    manager.hears("STOPPING=1").await;
    assert_eq!(program.exit_code().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_manager_that_does_not_listen_holds_nobody_up() {
    let home = TempDir::new().unwrap();
    let mut coordinator = coordinator::command();
    coordinator.args(["--listen", "127.0.0.1:0"]);
    for (name, mut command) in [("coordinator", coordinator), ("peer-daemon", peer::command(home.path()))] {
        let (folder, manager) = (TempDir::new().unwrap(), NotifySocket::open());
        let program =
            Program::start(name, manager.listen_to(&mut command, WATCHDOG_MICROSECONDS), folder.path());
        manager.hears("READY=1").await;
        manager.is_overwhelmed();
        program.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_takes_the_sockets_that_it_is_handed() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("peers.sock");
    let (port, ops_port) = (free_port(), free_port());
    let sockets = [
        ("peers", socket.display().to_string()),
        ("peers", format!("127.0.0.1:{port}")),
        ("ops", format!("127.0.0.1:{ops_port}")),
    ];
    // What is configured is not opened: here it could not be.
    let mut program = coordinator::command();
    program.args(["--listen", "unix:/nonexistent/socket", "--ops-listen", "192.0.2.1:1"]);
    let program = Program::start("coordinator", &mut activated(&sockets, &program), folder.path());
    until("systemd listens", PATIENCE, async || TcpStream::connect(("127.0.0.1", ops_port)).await.ok()).await;

    let answer = reqwest::get(format!("http://127.0.0.1:{ops_port}/readyz")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let by_socket = reqwest::Client::builder().no_proxy().unix_socket(socket.clone()).build().unwrap();
    for client in [reqwest::Client::builder().no_proxy().build().unwrap(), by_socket] {
        let answer = client.get(format!("http://127.0.0.1:{port}/v1/events")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "it serves peers here");
    }
    program.stop().await;
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket(), "it is the manager's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_takes_the_sockets_that_it_is_handed() {
    let home = TempDir::new().unwrap();
    let socket = home.path().join("handed.sock");
    let (download_port, upload_port) = (free_port(), free_port());
    let sockets = [
        ("upload", format!("127.0.0.1:{upload_port}")),
        ("control", socket.display().to_string()),
        ("download", format!("127.0.0.1:{download_port}")),
    ];
    let mut program = peer::command(home.path());
    program.args(["--coordinator", "http://127.0.0.1:9"]);
    let program = Program::start("peer-daemon", &mut activated(&sockets, &program), home.path());
    until("systemd listens", PATIENCE, async || socket.exists().then_some(())).await;
    let status: Status = peerctl::run(&socket, &["--json", "status"]).await.expect(ExitCode::Done).document();
    assert_eq!((status.download_port, status.upload_port), (download_port, upload_port));
    assert!(!peer::socket_in(home.path()).exists(), "it made one of its own");
    program.stop().await;
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket(), "it is the manager's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_guess_what_a_socket_is_for() {
    let home = TempDir::new().unwrap();
    let place = home.path().join("handed.sock");
    let sockets = [("web", place.display().to_string())];
    let mut command = activated(&sockets, &peer::command(home.path()));
    let mut program = Program::start("peer-daemon", &mut command, home.path());
    until("systemd listens", PATIENCE, async || std::os::unix::net::UnixStream::connect(&place).ok()).await;
    assert_eq!(program.exit_code().await, 1);
    assert!(program.stderr().contains("name it control, download or upload"), "{}", program.stderr());
}

/// The answer to somebody who connects with this join key.
async fn answer(address: SocketAddr, join_key: Option<&str>) -> u16 {
    let mut request = ConnectRequest::new(&"alice".parse().unwrap(), SessionToken::random(), None);
    request.join_key = join_key.map(str::to_owned);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = client.post(format!("http://{address}/v1/sessions")).json(&request);
    call.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_takes_its_secrets_from_the_service_manager() {
    const JOIN_KEY: &str = "open sesame";
    let (folder, manager) = (TempDir::new().unwrap(), NotifySocket::open());
    let dir = |name: &str| {
        let dir = folder.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    };
    let (credentials, state) = (dir("credentials"), dir("state"));
    fs::write(credentials.join("hearsay.join-key"), format!("{JOIN_KEY}\n")).unwrap();
    fs::write(credentials.join("hearsay.key"), [7; 32]).unwrap();
    // As the mode of a file is shown that an access list opens to a service's user.
    fs::set_permissions(credentials.join("hearsay.key"), fs::Permissions::from_mode(0o440)).unwrap();

    let mut command = coordinator::command();
    command.args(["--listen", "127.0.0.1:0"]);
    command.env("CREDENTIALS_DIRECTORY", &credentials).env("STATE_DIRECTORY", &state);
    let printed = Command::new(command.get_program()).arg("print-config").envs(variables(&command)).output();
    let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
    assert!(printed.contains("# join_key is set, and not shown") && !printed.contains(JOIN_KEY), "{printed}");

    let program =
        Program::start("coordinator", manager.listen_to(&mut command, WATCHDOG_MICROSECONDS), folder.path());
    let ready = manager.hears("READY=1").await;
    let address = status_text(&ready).strip_prefix("listening on ").unwrap().parse().unwrap();
    assert_eq!(answer(address, None).await, 403);
    assert_eq!(answer(address, Some(JOIN_KEY)).await, 201);
    assert!(!program.stderr().contains(JOIN_KEY));
    a_daemon_connects_with(&credentials, address, JOIN_KEY).await;
    program.stop().await;
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "the key was handed over");

    // Where none is handed over, one is made where the service keeps its state.
    fs::remove_file(credentials.join("hearsay.key")).unwrap();
    let program = Program::start("coordinator", &mut command, folder.path());
    manager.hears("READY=1").await;
    program.stop().await;
    assert_eq!(fs::read(state.join("key")).unwrap().len(), 32);
}

/// With the key that it is handed over as the coordinator is.
async fn a_daemon_connects_with(credentials: &Path, coordinator: SocketAddr, join_key: &str) {
    let (home, manager) = (TempDir::new().unwrap(), NotifySocket::open());
    let mut command = peer::command(home.path());
    command.args(["--coordinator", &format!("http://{coordinator}"), "--username", "bert"]);
    command.env("CREDENTIALS_DIRECTORY", credentials);
    manager.listen_to(&mut command, WATCHDOG_MICROSECONDS);
    let program = Program::start("peer-daemon", &mut command, home.path());
    manager.hears("READY=1").await;
    let socket = peer::socket_in(home.path());
    until("it is connected", PATIENCE, async || {
        let status = peerctl::run(&socket, &["--json", "status"]).await;
        status.expect(ExitCode::Done).document::<Status>().connected.then_some(())
    })
    .await;
    let shown = peerctl::run(&socket, &["--json", "config", "show"]).await.expect(ExitCode::Done);
    assert!(shown.stdout.contains("hearsay.join-key") && !shown.stdout.contains(join_key), "{shown:#?}");
    program.stop().await;
}

fn variables(command: &Command) -> impl Iterator<Item = (&std::ffi::OsStr, &std::ffi::OsStr)> {
    command.get_envs().filter_map(|(name, value)| Some((name, value?)))
}

/// The units of the repository, as they would be installed where the programs are that were built.
fn units(into: &Path) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["coordinator/systemd", "peer-daemon/systemd/user", "peer-daemon/systemd/system"];
    let mut units = Vec::new();
    for (number, folder) in folders.iter().enumerate() {
        let into = into.join(number.to_string());
        fs::create_dir(&into).unwrap();
        for unit in fs::read_dir(root.join(folder)).unwrap() {
            let unit = unit.unwrap();
            let mut text = fs::read_to_string(unit.path()).unwrap();
            for program in ["coordinator", "peer-daemon"] {
                let built = binaries::command(program).get_program().to_str().unwrap().to_owned();
                text = text.replace(&format!("/usr/bin/{program}"), &built);
            }
            units.push(into.join(unit.file_name()));
            fs::write(units.last().unwrap(), text).unwrap();
        }
    }
    assert_eq!(units.len(), 5, "{units:?}");
    units
}

fn analyze(arguments: &[&str], unit: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_units_are_understood_and_leave_little_open() {
    let folder = TempDir::new().unwrap();
    for unit in units(folder.path()) {
        let (is_right, told) = analyze(&["verify"], &unit);
        assert!(is_right && told.is_empty(), "{}: {told}", unit.display());
        // In tenths, of ten. A user's own service manager can take less away than the system's.
        let threshold = match unit.parent().unwrap().file_name().unwrap().to_str() {
            _ if unit.extension().is_some_and(|extension| extension == "socket") => continue,
            Some("1") => 65,
            _ => 15,
        };
        let threshold = format!("--threshold={threshold}");
        let (is_low, told) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit);
        assert!(is_low, "{}: {told}", unit.display());
    }
}
