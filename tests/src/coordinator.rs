//! The real coordinator, on free ports.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use rustix::process::Signal;
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    api_client::{ApiClient, send},
    binaries,
    process::Program,
    wait::{PATIENCE, until},
};

/// The coordinator's address under test and that of its ops listener.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Addresses {
    pub listen: SocketAddr,
    pub ops_listen: SocketAddr,
}

pub struct Coordinator {
    program: Program,
    addresses: Addresses,
    folder: TempDir,
}

/// nginx is the proxy.
const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";
/// A free port.
const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);
/// What every test needs otherwise than an operator: all peers share one address, so that claims of names,
/// introductions and searches are many for one address.
const BASE_CONFIGURATION: &str = "\
limits.claims_per_minute = 100000
limits.handed_out_per_minute = 100000
limits.searches_per_second_an_address = 100000
limits.searches_burst_an_address = 100000
";

impl Coordinator {
    pub async fn start() -> Self {
        Self::configured("").await
    }

    /// With more lines of TOML in its configuration; keys of tables are dotted (`limits.searches = 1`).
    pub async fn configured(lines: &str) -> Self {
        Self::launched(SocketAddr::from(LOOPBACK), &format!("{BEHIND_A_PROXY}{lines}")).await
    }

    /// One that peers reach without a proxy, at this address.
    pub async fn reached_at(listen: SocketAddr, lines: &str) -> Self {
        Self::launched(listen, lines).await
    }

    async fn launched(listen: SocketAddr, lines: &str) -> Self {
        let folder = TempDir::with_prefix("hearsay-coordinator-").expect("a temporary folder");
        write_configuration(folder.path(), lines);
        let addresses = Addresses { listen, ops_listen: LOOPBACK.into() };
        let (program, addresses) = launch(folder.path(), addresses).await;
        Self { program, addresses, folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses.listen
    }

    pub fn ops_url(&self) -> String {
        format!("http://{}", self.addresses.ops_listen)
    }

    /// What it tells of itself under this name.
    pub async fn metric(&self, name: &str) -> u64 {
        let metrics = send(ApiClient::to(&self.ops_url()).get("/metrics")).await.expect(200).body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is not told:\n{metrics}"))
    }

    pub fn process_id(&self) -> u32 {
        self.program.id()
    }

    pub fn stderr(&self) -> String {
        self.program.stderr()
    }

    /// Gives it other lines of configuration, and tells it so by SIGHUP.
    pub fn configure_again(&self, lines: &str) {
        write_configuration(self.folder.path(), &format!("{BEHIND_A_PROXY}{lines}"));
        self.program.signal(Signal::HUP);
    }

    pub async fn stop(self) {
        self.program.stop().await;
    }

    /// SIGKILL.
    pub fn kill(self) -> Stopped {
        let Self { program, addresses, folder } = self;
        program.kill();
        Stopped { addresses, folder }
    }

    /// Ends it with SIGTERM, as an upgrade does; [`Stopped::start_again`] brings it back at its address.
    pub async fn stop_for_a_while(self) -> Stopped {
        let Self { program, addresses, folder } = self;
        program.stop().await;
        Stopped { addresses, folder }
    }
}

/// A coordinator between two lives.
pub struct Stopped {
    addresses: Addresses,
    folder: TempDir,
}

impl Stopped {
    pub async fn start_again(self) -> Coordinator {
        let (program, addresses) = launch(self.folder.path(), self.addresses).await;
        Coordinator { program, addresses, folder: self.folder }
    }
}

/// A command with nothing set, for tests of bad ones.
pub fn command() -> Command {
    binaries::command("coordinator")
}

fn write_configuration(folder: &Path, lines: &str) {
    fs::write(folder.join("coordinator.toml"), format!("{BASE_CONFIGURATION}{lines}"))
        .expect("a file for the configuration");
}

async fn launch(folder: &Path, at: Addresses) -> (Program, Addresses) {
    let ready_file = folder.join("ready.json");
    let _ = fs::remove_file(&ready_file);
    let mut command = command();
    command
        .arg("--listen")
        .arg(at.listen.to_string())
        .arg("--ops-listen")
        .arg(at.ops_listen.to_string())
        .arg("--config")
        .arg(folder.join("coordinator.toml"))
        .arg("--key-file")
        .arg(folder.join("key"))
        .arg("--ready-file")
        .arg(&ready_file);
    let mut program = Program::start("coordinator", &mut command, folder);
    let addresses = until("the coordinator is ready", PATIENCE, async || {
        program.assert_running();
        serde_json::from_slice(&fs::read(&ready_file).ok()?).ok()
    })
    .await;
    (program, addresses)
}
