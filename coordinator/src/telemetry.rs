//! Logs to stderr. All that this program ever says is one list, [`Word`], and what a word carries is the
//! operator's own: addresses to listen on, settings, errors of the start. There is no other log statement in this
//! crate (a test holds that), so no name, query or address of a peer can get into a log: there is no word for it.
//!
//! Libraries are not heard: they see requests, and what they would log is not ours to choose. A panic is told by
//! its place without its message.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    panic,
};

use clap::ValueEnum;
use tracing::{debug, error, info, warn};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{
    config::{ConfigError, Listen},
    health::Unhealthy,
    inherited::InheritedError,
    server::{BindError, ServeError},
    service,
};

/// Sets the level: `error`, `warn`, `info` or `off`.
const LEVEL_VARIABLE: &str = "HEARSAY_COORDINATOR_LOG";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Everything that the coordinator says.
#[derive(Debug)]
pub enum Word<'a> {
    /// The soft limit on open files was raised to the hard one; `None` when there is none.
    OpenFiles {
        limit: Option<u64>,
    },
    /// Fewer files can be open than the configured sessions need.
    FewOpenFiles {
        limit: u64,
        wanted: u64,
    },
    Listening {
        listen: &'a Listen,
        ops_listen: Option<SocketAddr>,
    },
    /// SIGHUP came.
    Reloading,
    /// The configuration was read again; these settings wait for a restart.
    Reloaded {
        need_restart: &'a [&'static str],
    },
    NotReloaded {
        error: &'a ConfigError,
    },
    Draining,
    Ended,
    /// A forwarding header came that no trusted proxy wrote.
    HeaderPassedOver,
    BadConfiguration {
        error: &'a ConfigError,
    },
    CantStart {
        error: &'a StartError,
    },
    CantServe {
        error: &'a ServeError,
    },
    Unhealthy {
        unhealthy: &'a Unhealthy,
    },
    /// `place` is one in the source.
    Panicked {
        place: &'a str,
    },
}

/// Why the coordinator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the operating system refuses to turn core dumps off, raise limits or hear signals: {0}")]
    Process(#[from] io::Error),
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    #[error(transparent)]
    Bind(#[from] BindError),
}

impl Word<'_> {
    /// To the log, and to the service manager what concerns it.
    pub fn say(self) {
        service::tell(&self);
        match self {
            Self::OpenFiles { limit: Some(limit) } => info!(limit, "open files"),
            Self::OpenFiles { limit: None } => info!("open files: no limit"),
            Self::FewOpenFiles { limit, wanted } => warn!(
                limit,
                wanted,
                "fewer files may be open than limits.sessions needs: raise the hard limit (ulimit -Hn)"
            ),
            Self::Listening { listen, ops_listen: None } => info!(%listen, "listening"),
            Self::Listening { listen, ops_listen: Some(ops) } => {
                info!(%listen, ops_listen = %ops, "listening");
            }
            Self::Reloading => debug!("reading the configuration again"),
            Self::Reloaded { need_restart: [] } => info!("the configuration was read again and is in force"),
            Self::Reloaded { need_restart } => warn!(
                need_restart = need_restart.join(", "),
                "the configuration was read again and is in force, but for what needs a restart"
            ),
            Self::NotReloaded { error } => error!(%error, "the configuration stays as it was"),
            Self::Draining => info!("draining"),
            Self::Ended => info!("ended"),
            Self::HeaderPassedOver => warn!(
                "X-Forwarded-For came from where no trusted proxy is, and counts for nothing: if a reverse proxy \
                 stands before the coordinator, name it with --trusted-proxy, or all peers have its address (told \
                 once)"
            ),
            Self::BadConfiguration { error } => error!("{error}"),
            Self::CantStart { error } => error!("{error}"),
            Self::CantServe { error } => error!("{error}"),
            Self::Unhealthy { unhealthy } => error!("{unhealthy}"),
            Self::Panicked { place } => error!(place, "panicked"),
        }
    }
}

/// Starts logging. A second call in one process changes nothing.
pub fn init(format: LogFormat) {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| level.parse().ok());
    let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level.unwrap_or(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.with_ansi(false).json().flatten_event(true).boxed(),
    };
    if tracing_subscriber::registry().with(own).with(lines).try_init().is_ok() {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            Word::Panicked { place: place.as_deref().unwrap_or("an unknown place") }.say();
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What logs or prints, other than this file.
    const SPEAKERS: [&str; 9] = [
        "tracing::",
        "eprintln!",
        "println!",
        "eprint!",
        "print!",
        "dbg!",
        "io::stderr",
        "log::",
        "set_hook",
    ];

    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if !path.ends_with("telemetry.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let spoken = SPEAKERS.iter().filter(|speaker| text.contains(**speaker));
                found.extend(spoken.map(|speaker| format!("{}: {speaker}", path.display())));
            }
        }
    }

    #[test]
    fn nothing_else_in_this_crate_logs() {
        let mut found = Vec::new();
        visit(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
        assert_eq!(found, Vec::<String>::new(), "say it with a `Word`");
    }
}
