//! A server under measurement: the coordinator, or one that it is compared with.

use std::{env, fs, net::SocketAddr, ops::RangeInclusive, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use hearsay_tests::{
    coordinator::{Coordinator, Stopped},
    process::Program,
    wait::{PATIENCE, until},
};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{client::Connection, clock, measure, nchan, peer, uhub};

/// How long all peers together may take for a step.
pub(crate) const STEP_MAX: Duration = Duration::from_mins(3);
const GLANCE: Duration = Duration::from_millis(5);

enum Kind {
    Coordinator(Coordinator),
    Baseline { program: Program, _folder: TempDir },
}

pub(crate) struct Server {
    kind: Kind,
    pub(crate) address: SocketAddr,
    ops: SocketAddr,
}

impl Server {
    /// The coordinator, with more lines of TOML in its configuration.
    pub(crate) async fn coordinator(lines: &str) -> Result<Self> {
        Self::of(Coordinator::configured(lines).await)
    }

    fn of(coordinator: Coordinator) -> Result<Self> {
        let address = coordinator.address();
        let ops = coordinator.ops_url().trim_start_matches("http://").parse()?;
        Ok(Self { kind: Kind::Coordinator(coordinator), address, ops })
    }

    /// The bare server; with times, connections end at a random one of them after they began.
    pub(crate) async fn bare(closing: Option<RangeInclusive<Duration>>) -> Result<Self> {
        let folder = TempDir::with_prefix("hearsay-bare-")?;
        let ready_file = folder.path().join("ready.json");
        let mut command = Command::new(env::current_exe()?);
        command.args(["bare-server", "--listen", "127.0.0.1:0", "--ready-file"]).arg(&ready_file);
        if let Some(after) = closing {
            let milliseconds = |time: &Duration| time.as_millis().to_string();
            command.arg("--close-after").args([after.start(), after.end()].map(milliseconds));
        }
        let mut program = Program::start("bare-server", &mut command, folder.path());
        let ready: serde_json::Value = until("the bare server is ready", PATIENCE, async || {
            program.assert_running();
            serde_json::from_slice(&fs::read(&ready_file).ok()?).ok()
        })
        .await;
        let address = ready["listen"].as_str().context("no address in the ready file")?.parse()?;
        Ok(Self { kind: Kind::Baseline { program, _folder: folder }, address, ops: address })
    }

    pub(crate) async fn nchan() -> Result<Self> {
        let folder = TempDir::with_prefix("hearsay-nchan-")?;
        let (program, address) = nchan::start(&folder).await?;
        Ok(Self { kind: Kind::Baseline { program, _folder: folder }, address, ops: address })
    }

    /// It has no polls that could be asked for.
    pub(crate) async fn uhub() -> Result<Self> {
        let folder = TempDir::with_prefix("hearsay-uhub-")?;
        let (program, address) = uhub::start(&folder).await?;
        Ok(Self { kind: Kind::Baseline { program, _folder: folder }, address, ops: address })
    }

    pub(crate) fn process_id(&self) -> u32 {
        match &self.kind {
            Kind::Coordinator(coordinator) => coordinator.process_id(),
            Kind::Baseline { program, .. } => program.id(),
        }
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        measure::cpu(self.process_id())
    }

    pub(crate) fn resident(&self) -> Result<u64> {
        measure::resident(self.process_id())
    }

    pub(crate) async fn parked(&self) -> Result<usize> {
        let mut connection = Connection::open(peer::address(0), self.ops).await?;
        let answer = connection.call("GET", "/metrics", "Connection: close\r\n", None).await?;
        let line = answer.body.lines().find_map(|line| {
            // As the coordinator and the bare server call it, and as nchan does.
            line.strip_prefix("hearsay_parked_polls ").or_else(|| line.strip_prefix("subscribers: "))
        });
        Ok(line.context("no number of parked polls")?.trim().parse()?)
    }

    /// Waits until so many polls are parked.
    pub(crate) async fn until_parked(&self, polls: usize) -> Result<()> {
        let start = clock::now();
        loop {
            let parked = self.parked().await?;
            if parked >= polls {
                return Ok(());
            }
            anyhow::ensure!(start.elapsed() < STEP_MAX, "only {parked} of {polls} polls are parked");
            tokio::time::sleep(GLANCE).await;
        }
    }

    pub(crate) async fn stop(self) {
        match self.kind {
            Kind::Coordinator(coordinator) => coordinator.stop().await,
            // They have nothing to finish, and nchan does not end cleanly in a single process.
            Kind::Baseline { program, .. } => program.kill(),
        }
    }

    /// Ends the coordinator as an upgrade does, and starts it again at its address.
    pub(crate) async fn restart(self) -> Result<Self> {
        let Kind::Coordinator(coordinator) = self.kind else { anyhow::bail!("only a coordinator restarts") };
        let stopped: Stopped = coordinator.stop_for_a_while().await;
        Self::of(stopped.start_again().await)
    }
}

/// Waits until a program that says nothing of it can be connected to.
pub(crate) async fn until_listening(program: &mut Program, listen: SocketAddr) {
    until("it listens", PATIENCE, async || {
        program.assert_running();
        TcpStream::connect(listen).await.ok()
    })
    .await;
}
