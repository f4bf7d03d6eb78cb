//! Logs: as text, to stderr, or to a file where one is named. Names and addresses of other people don't belong in
//! them.

use std::{
    fmt::Display,
    fs,
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
    panic,
    path::PathBuf,
    sync::Mutex,
};

use thiserror::Error;
use tracing::error;
use tracing_subscriber::{
    EnvFilter, fmt,
    fmt::{
        SubscriberBuilder,
        format::{DefaultFields, Format},
    },
};

use crate::log_file::LogFile;

/// Where the log is to go instead of stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    pub path: PathBuf,
    /// Of one file; there are a few old ones besides.
    pub bytes_max: u64,
}

#[derive(Debug, Error)]
#[error("the log {} can't be written: {source}; name another with --log-file", path.display())]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// The log, begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telemetry {
    /// Whoever reads stderr does not see the log.
    stderr_is_silent: bool,
}

/// Where `target` says. `RUST_LOG` overrules [`DEFAULT_FILTER`].
pub fn init(target: Option<&LogTarget>) -> Result<Telemetry, LogError> {
    let Some(LogTarget { path, bytes_max }) = target else { return Ok(to_stderr()) };
    let file = LogFile::open(path, *bytes_max).map_err(|source| LogError { path: path.clone(), source })?;
    let stderr_is_silent = !stderr_metadata().is_ok_and(|stderr| file.is_also(&stderr));
    if lines().with_writer(Mutex::new(file)).with_ansi(false).try_init().is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            error!(place, "a part of the daemon panicked");
        }));
    }
    Ok(Telemetry { stderr_is_silent })
}

/// Without a word on where else it is to go.
pub fn to_stderr() -> Telemetry {
    let is_coloured = io::stderr().is_terminal();
    let _already_set = lines().with_writer(io::stderr).with_ansi(is_coloured).try_init();
    Telemetry { stderr_is_silent: false }
}

/// What a person would want to know. The HTTP library's words on what it can't read are left out: the page's port is
/// open to every user of the machine, and none of them is to push other lines out of the log.
const DEFAULT_FILTER: &str = "peer_daemon=info,actix_http=off,warn";

fn lines() -> SubscriberBuilder<DefaultFields, Format, EnvFilter> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // A line that can't be written is lost, and nothing else: a full disk must not end the daemon.
    fmt().with_env_filter(filter).with_target(false).log_internal_errors(false)
}

impl Telemetry {
    /// Why the daemon does not run, in the log and for whoever started it.
    pub fn last_words(self, problem: &dyn Display) {
        error!("{problem}");
        if self.stderr_is_silent {
            // There may be nobody who reads it.
            let _ = writeln!(io::stderr(), "{problem}");
        }
    }
}

fn stderr_metadata() -> io::Result<fs::Metadata> {
    fs::File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()
}
