//! The real peer-daemon with its folders, steered through the real peerctl.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use protocol::{
    control::{Download, DownloadState, Downloads, ExitCode, Search, Status},
    paths::control,
};
use tempfile::TempDir;

use crate::{
    binaries,
    content::{digest, names_in},
    peerctl::{self, Output},
    process::Program,
    slow_link::SlowLink,
    wait::{PATIENCE, until},
};

/// A peer that is about to be started.
pub struct PeerBuilder {
    username: String,
    coordinator: String,
    arguments: Vec<String>,
    configuration: String,
    /// Of the download port and the upload port; 0 picks a free one.
    ports: (u16, u16),
    /// Where its web page is, or `off`.
    page: String,
    /// Where its downloads go, if not to a folder in its home.
    downloads: Option<PathBuf>,
    /// Where it keeps its state, if not in its home.
    state: Option<PathBuf>,
    is_privileged: bool,
}

impl PeerBuilder {
    /// Its state is kept in this folder.
    #[must_use]
    pub fn with_state_in(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// Its downloads go to a folder that is there.
    #[must_use]
    pub fn downloading_to(mut self, folder: &Path) -> Self {
        self.downloads = Some(folder.to_owned());
        self
    }

    /// It may do no more than the owner of its files, even if root runs the tests.
    #[must_use]
    pub fn without_privileges(mut self) -> Self {
        self.is_privileged = false;
        self
    }

    #[must_use]
    pub fn sharing(self, folder: &Path) -> Self {
        self.argument("--share", &folder.display())
    }

    /// Others are told this port in place of the one that it listens on.
    #[must_use]
    pub fn with_public_download_port(self, port: u16) -> Self {
        self.argument("--public-download-port", &port)
    }

    /// Its web page is on, at a port that was free a moment ago: the page stays there when the daemon is started
    /// again, as it does for a person.
    #[must_use]
    pub fn with_page(mut self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        self.page = listener.local_addr().expect("the address of a listener").to_string();
        self
    }

    /// Lines of TOML for its configuration file.
    #[must_use]
    pub fn configured(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self
    }

    #[must_use]
    pub fn argument(mut self, flag: &str, value: &impl ToString) -> Self {
        self.arguments.extend([flag.to_owned(), value.to_string()]);
        self
    }

    /// Starts the daemon, and returns when it answers on its socket.
    pub async fn start(self) -> Peer {
        let home = TempDir::with_prefix("hearsay-peer-").expect("a temporary folder");
        let downloads = self.downloads.clone().unwrap_or_else(|| {
            let downloads = home.path().join("downloads");
            fs::create_dir(&downloads).expect("a folder for downloads");
            downloads
        });
        fs::write(home.path().join("peer.toml"), &self.configuration).expect("a configuration file");
        let program = launch(home.path(), &downloads, &self);
        let mut peer = Peer { program, home, downloads, settings: self };
        peer.wait_until_answering().await;
        peer
    }

    /// The same for one whose download port is reached over this link only.
    pub async fn connected_behind(self, link: &SlowLink) -> Peer {
        let peer = self.with_public_download_port(link.port()).connected().await;
        link.leads_to(download_address(&peer.status().await));
        peer
    }

    /// Starts the daemon, and returns when its shares are read and it holds its username.
    pub async fn connected(self) -> Peer {
        let mut peer = self.start().await;
        peer.wait_until_scanned().await;
        peer.wait_until_connected().await;
        peer
    }
}

pub struct Peer {
    program: Program,
    home: TempDir,
    downloads: PathBuf,
    settings: PeerBuilder,
}

impl Peer {
    pub fn named(username: &str, coordinator: &str) -> PeerBuilder {
        PeerBuilder {
            username: username.to_owned(),
            coordinator: coordinator.to_owned(),
            arguments: Vec::new(),
            configuration: String::new(),
            ports: (0, 0),
            page: "off".to_owned(),
            downloads: None,
            state: None,
            is_privileged: true,
        }
    }

    pub fn socket(&self) -> PathBuf {
        socket_in(self.home.path())
    }

    /// What it takes of memory right now.
    pub fn resident_bytes(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.program.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn stderr(&self) -> String {
        self.program.stderr()
    }

    pub(crate) fn downloads_folder(&self) -> &Path {
        &self.downloads
    }

    /// A file in the download folder.
    pub fn downloaded(&self, name: &str) -> PathBuf {
        self.downloads.join(name)
    }

    pub fn digest_of(&self, name: &str) -> String {
        digest(&self.downloaded(name))
    }

    /// All names in the download folder.
    pub fn downloaded_names(&self) -> Vec<String> {
        names_in(&self.downloads)
    }

    pub async fn peerctl(&self, arguments: &[&str]) -> Output {
        peerctl::run(&self.socket(), arguments).await
    }

    pub async fn status(&self) -> Status {
        self.peerctl(&["--json", "status"]).await.expect(ExitCode::Done).document()
    }

    /// A search by peerctl, until no more results come.
    pub async fn search(&self, query: &str) -> Search {
        self.peerctl(&["--json", "search", query]).await.expect(ExitCode::Done).document()
    }

    /// `peerctl get` of results of the last search, until all have ended.
    pub async fn get(&self, results: &[&str]) -> Output {
        self.peerctl(&[&["--json", "get"], results].concat()).await
    }

    /// The same for one that must succeed.
    pub async fn fetch(&self, result: &str) -> Download {
        let Downloads { mut downloads, .. } = self.get(&[result]).await.expect(ExitCode::Done).document();
        assert_eq!(downloads.len(), 1, "{downloads:?}");
        downloads.remove(0)
    }

    pub async fn downloads(&self) -> Vec<Download> {
        self.peerctl(&["--json", "downloads"]).await.expect(ExitCode::Done).document::<Downloads>().downloads
    }

    /// `peerctl config set`.
    pub async fn set(&self, name: &str, value: &str) -> Output {
        self.peerctl(&["config", "set", name, value]).await.expect(ExitCode::Done)
    }

    pub async fn wait_until_connected(&mut self) {
        self.wait_for_status("is connected", PATIENCE, |status| status.connected).await;
    }

    pub async fn wait_until_scanned(&mut self) {
        self.wait_for_status("has read its shares", PATIENCE, |status| !status.scanning).await;
    }

    /// Waits for a status that `is_it` approves of.
    pub async fn wait_for_status(
        &mut self,
        what: &str,
        deadline: Duration,
        is_it: impl Fn(&Status) -> bool,
    ) -> Status {
        let what = format!("{} {what}", self.settings.username);
        let client = control_client(&self.socket());
        until(&what, deadline, async || {
            self.program.assert_running();
            glance(&client).await.filter(&is_it)
        })
        .await
    }

    /// SIGTERM; asserts a clean exit and that only downloads which may go on leave a partial file behind.
    pub async fn stop(self) {
        let downloads = self.downloads().await;
        let may_go_on = |state| !matches!(state, DownloadState::Finished | DownloadState::Cancelled);
        let unfinished = downloads.iter().filter(|download| may_go_on(download.state)).count();
        self.program.stop().await;
        let names = names_in(&self.downloads);
        let partial = names.iter().filter(|name| name.contains(".part")).count();
        assert!(partial <= unfinished, "a partial file stays: {names:?} of {downloads:#?}");
    }

    /// Waits until the daemon ends by itself.
    pub async fn exit_code(&mut self) -> i32 {
        self.program.exit_code().await
    }

    /// SIGKILL, and the same daemon again over the same folders.
    pub async fn kill_and_start_again(self) -> Self {
        self.kill().await.start_again().await
    }

    /// SIGKILL. Its ports stay its own, as those of a daemon behind a router do.
    pub async fn kill(self) -> Killed {
        let Status { download_port, upload_port, .. } = self.status().await;
        let Self { program, home, downloads, mut settings } = self;
        program.kill();
        settings.ports = (download_port, upload_port);
        Killed { home, downloads, settings }
    }

    async fn wait_until_answering(&mut self) {
        self.wait_for_status("answers on its socket", PATIENCE, |_| true).await;
    }
}

/// A daemon between two lives.
pub struct Killed {
    home: TempDir,
    downloads: PathBuf,
    settings: PeerBuilder,
}

impl Killed {
    /// The same daemon over the same folders; returns when it answers on its socket.
    pub async fn start_again(self) -> Peer {
        let Self { home, downloads, settings } = self;
        let program = launch(home.path(), &downloads, &settings);
        let mut peer = Peer { program, home, downloads, settings };
        peer.wait_until_answering().await;
        peer
    }

    /// All names in the download folder.
    pub fn downloaded_names(&self) -> Vec<String> {
        names_in(&self.downloads)
    }
}

/// A daemon's command over the folders in `home`, on free ports.
pub fn command(home: &Path) -> Command {
    command_with(home, "", "")
}

/// The same with another value for one flag.
pub fn command_with(home: &Path, flag: &str, value: &str) -> Command {
    let mut command = binaries::command("peer-daemon");
    command.args(usual_arguments(home, (0, 0), &[(flag, value.as_ref())]));
    command
}

/// Flags with their values; `other_values` stand in the place of usual ones.
fn usual_arguments(
    home: &Path,
    (download_port, upload_port): (u16, u16),
    other_values: &[(&str, &OsStr)],
) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for (usual_flag, usual_value) in [
        ("--listen", "127.0.0.1".into()),
        ("--download-port", download_port.to_string().into()),
        ("--upload-port", upload_port.to_string().into()),
        ("--gui", "off".into()),
        ("--state-dir", home.join("state")),
        ("--download-dir", home.join("downloads")),
        ("--socket", socket_in(home)),
    ] {
        let other = other_values.iter().find(|(flag, _)| *flag == usual_flag).map(|(_, value)| *value);
        arguments.extend([usual_flag.into(), other.map_or(usual_value.into(), OsStr::to_owned)]);
    }
    arguments
}

fn launch(home: &Path, downloads: &Path, settings: &PeerBuilder) -> Program {
    let mut command = if settings.is_privileged {
        binaries::command("peer-daemon")
    } else {
        binaries::command_without_privileges("peer-daemon")
    };
    let mut other_values = vec![("--gui", settings.page.as_ref()), ("--download-dir", downloads.as_os_str())];
    other_values.extend(settings.state.as_ref().map(|folder| ("--state-dir", folder.as_os_str())));
    command
        .args(usual_arguments(home, settings.ports, &other_values))
        .args(["--coordinator", &settings.coordinator, "--username", &settings.username])
        .args(&settings.arguments);
    if !settings.configuration.is_empty() {
        command.arg("--config").arg(home.join("peer.toml"));
    }
    Program::start(&settings.username, &mut command, home)
}

/// Where the control socket is of a daemon over the folders in `home`.
pub fn socket_in(home: &Path) -> PathBuf {
    home.join("run/peer.sock")
}

/// For waits only: what a user does goes through peerctl.
pub(crate) fn control_client(socket: &Path) -> reqwest::Client {
    reqwest::Client::builder()
        .unix_socket(socket.to_owned())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .expect("a client of the control socket")
}

async fn glance(client: &reqwest::Client) -> Option<Status> {
    let url = format!("http://{}{}", control::HOST, control::STATUS);
    let answer = client.get(url).send().await.ok()?;
    assert_eq!(answer.status(), 200, "the daemon does not tell its status");
    Some(answer.json().await.expect("a status document"))
}

/// The address at which a peer's download port is reached in tests.
pub fn download_address(status: &Status) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], status.download_port))
}
