//! A program that a test started: its last words, its end.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::{
    clock,
    wait::{PATIENCE, until},
};

/// How much of a program's stderr a failed test shows.
const LINES_SHOWN: usize = 40;
/// How long a program that is in the way of a failed test may take to end before it is killed.
const LAST_CHANCE: Duration = Duration::from_secs(2);

/// For a test that holds thousands of connections itself.
pub fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .expect("a limit may be raised to the hard one");
}

/// A running child. Dropping it ends it; a test that has passed ends it with [`Program::stop`] instead.
pub struct Program {
    name: String,
    child: Child,
    stderr: PathBuf,
}

impl Program {
    /// Starts `command` with its stderr in `folder`.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let stderr = folder.join(format!("{name}.stderr"));
        let log = File::options().create(true).append(true).open(&stderr).expect("a file for stderr");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, stderr }
    }

    /// Its number at the operating system.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The numbers of the processes that it has started itself and that have not ended.
    pub(crate) fn children(&self) -> BTreeSet<u32> {
        let id = self.id();
        let listed = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        listed.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// All that it wrote to stderr, also before a restart in the same folder.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Panics when the program has ended although it should run.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.exit_status() {
            panic!("{} has ended with {status}:\n{}", self.name, self.last_words());
        }
    }

    /// Waits until the program ends by itself, and gives its exit code.
    pub async fn exit_code(&mut self) -> i32 {
        let what = format!("{} ends", self.name);
        let status = until(&what, PATIENCE, async || self.exit_status()).await;
        status.code().unwrap_or_else(|| panic!("{} was ended by {status}", self.name))
    }

    /// SIGTERM, as a service manager sends it; asserts exit 0 within [`PATIENCE`].
    pub async fn stop(mut self) {
        self.assert_running();
        self.signal(Signal::TERM);
        let code = self.exit_code().await;
        assert_eq!(code, 0, "{} did not end cleanly:\n{}", self.name, self.last_words());
    }

    /// SIGKILL: the program has no chance to say goodbye.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("signal to {}: {error}", self.name));
    }

    fn last_words(&self) -> String {
        let all = self.stderr();
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_last_words();
        }
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Gently first: nginx takes its workers with it only then.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let start = clock::now();
        while start.elapsed() < LAST_CHANCE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    #[allow(clippy::print_stderr, reason = "the report of a failed test")]
    fn show_last_words(&self) {
        eprintln!("--- last words of {} ---\n{}\n---", self.name, self.last_words());
    }
}
