//! The programs of the demo and the folder in which they write; both are gone when the stage is.

use std::{
    ffi::OsString,
    fs::{self, File},
    net::SocketAddr,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

use super::peer::Peer;
use crate::{steps::quoted, workspace::Workspace};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Binding two ports takes no time; a busy machine gets some.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// A drain of a coordinator or a daemon is shorter than this; who takes longer is killed.
const END_LIMIT: Duration = Duration::from_secs(10);
/// So many lines of each log tell why something failed.
const LAST_WORDS: usize = 15;

pub(super) struct Stage {
    binaries: PathBuf,
    folder: TempDir,
    programs: Vec<Program>,
}

struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What the coordinator writes once it is bound.
#[derive(Deserialize)]
struct Ready {
    listen: SocketAddr,
}

impl Stage {
    pub(super) fn set(workspace: &Workspace) -> Result<Self> {
        let folder = TempDir::with_prefix("hearsay-demo-")
            .context("no temporary folder can be made: name one that can be written in TMPDIR")?;
        // Shown and run as seen from here: shorter to read.
        let here = std::env::current_dir()?;
        let target = workspace.target.strip_prefix(here).unwrap_or(&workspace.target);
        Ok(Self { binaries: target.join("debug"), folder, programs: Vec::new() })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program's path as a shell reads it.
    pub(super) fn program(&self, name: &str) -> String {
        quoted(&self.binaries.join(name).to_string_lossy())
    }

    pub(super) fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} can't be made: name another place in TMPDIR", path.display()))?;
        Ok(path)
    }

    /// Starts the coordinator, and returns its URL once it can be reached.
    pub(super) async fn start_coordinator(&mut self) -> Result<String> {
        let ready = self.folder().join("coordinator.ready");
        let mut command = Command::new(self.binaries.join("coordinator"));
        command.args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--ready-file"]).arg(&ready);
        self.start("coordinator", command)?;
        let url = self.wait_for("the coordinator listens", READY_LIMIT, async || {
            let Ok(text) = fs::read(&ready) else { return Ok(None) };
            let Ready { listen } =
                serde_json::from_slice(&text).context("the coordinator's ready file is damaged")?;
            Ok(Some(format!("http://{listen}")))
        });
        url.await
    }

    pub(super) fn start_daemon(
        &mut self,
        name: &str,
        coordinator: &str,
        share: Option<&Path>,
    ) -> Result<Peer> {
        let home = self.make_folder(name)?;
        let (socket, downloads) = (home.join("socket"), self.make_folder(&format!("fetched-by-{name}"))?);
        let mut command = Command::new(self.binaries.join("peer-daemon"));
        command.args(["--coordinator", coordinator, "--username", name]);
        command.args(["--listen", "127.0.0.1", "--download-port", "0", "--upload-port", "0", "--gui", "off"]);
        command.arg("--state-dir").arg(home.join("state")).arg("--socket").arg(&socket);
        command.arg("--download-dir").arg(downloads);
        if let Some(share) = share {
            command.arg("--share").arg(share);
        }
        self.start(name, command)?;
        Ok(Peer::new(name, socket, self.binaries.join("peerctl")))
    }

    /// Starts a program in the background. It gets a process group of its own, so that Ctrl-C reaches it
    /// through [`Self::end`] only, and in order.
    fn start(&mut self, name: &str, mut command: Command) -> Result<()> {
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let shown: Vec<_> = words.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        println!("   $ {} &", shown.join(" "));
        let log = self.folder().join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("{} can't be written", log.display()))?;
        for variable in personal_settings() {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| format!("{} can't be started", shown[0]))?;
        self.programs.push(Program { name: name.to_owned(), child, log });
        Ok(())
    }

    /// Looks at a condition until it yields a value. A program that has ended, or the limit, is an error.
    pub(super) async fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let seen = async {
            loop {
                for program in &mut self.programs {
                    if let Some(status) = program.child.try_wait()? {
                        bail!("{} ended by itself ({status}): its last words tell why", program.name);
                    }
                }
                if let Some(value) = look().await? {
                    return Ok(value);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let Ok(outcome) = tokio::time::timeout(limit, seen).await else {
            bail!(
                "waited {} s in vain until {what}: the last words of the programs tell why",
                limit.as_secs()
            );
        };
        outcome
    }

    /// What the programs said last, for someone who looks for the cause of a failure.
    pub(super) fn print_last_words(&self) {
        for Program { name, log, .. } in &self.programs {
            let text = fs::read(log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<_> = text.lines().collect();
            println!("\nLast words of {name}:");
            for line in &lines[lines.len().saturating_sub(LAST_WORDS)..] {
                println!("   {line}");
            }
        }
    }

    /// Asks the programs to end, the last started first, and kills those that don't.
    pub(super) async fn end(mut self) {
        while let Some(mut program) = self.programs.pop() {
            // An error means that it has ended already.
            let _ = kill_process(Pid::from_child(&program.child), Signal::TERM);
            let ended = async {
                while matches!(program.child.try_wait(), Ok(None)) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            if tokio::time::timeout(END_LIMIT, ended).await.is_err() {
                println!("   {} did not end when asked, and is killed", program.name);
                kill(&mut program);
            }
        }
    }

    /// Leaves programs and folder as they are, and returns the command that ends and removes them.
    pub(super) fn leave(mut self) -> String {
        let ids: Vec<_> =
            self.programs.drain(..).rev().map(|program| program.child.id().to_string()).collect();
        self.folder.disable_cleanup(true);
        format!("kill {}; sleep 2; rm -r {}", ids.join(" "), quoted(&self.folder().to_string_lossy()))
    }
}

impl Drop for Stage {
    /// The way out of a panic; every other way is [`Stage::end`] or [`Stage::leave`].
    fn drop(&mut self) {
        self.programs.iter_mut().rev().for_each(kill);
    }
}

fn kill(program: &mut Program) {
    let _ = program.child.kill();
    let _ = program.child.wait();
}

/// Variables of the person's own Hearsay, which the demo's programs must not see.
pub(super) fn personal_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("HEARSAY_"))
}
