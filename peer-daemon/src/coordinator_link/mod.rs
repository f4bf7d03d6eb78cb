//! The link to the coordinator: one session, one long-poll, and the calls that go beside it.
//!
//! The coordinator may restart, drop a response or be away for an hour, and nothing else in the daemon should
//! have to know. So this part holds the username for as long as the person wants it: it connects, polls,
//! renews the `name_token`, and connects again when the session lapsed. Whoever makes a call names its id; a
//! repeat of a call does nothing more at the coordinator, so a lost response is simply asked for again.
//!
//! ```text
//!            connect                    201
//!   Idle ───────────────▶ Connecting ─────────▶ Connected ──┐ poll, renew
//!    ▲                     │      ▲                 │   ▲───┘
//!    └─────────────────────┘      └─────────────────┘
//!      refused at first, or         session lapsed, or out of reach
//!      disconnect, or shutdown      (goes on by itself, with backoff)
//!      (told as Refused or Idle)
//! ```
//!
//! **At least once.** Events are passed on as the polls bring them. One whose response was lost comes again, as
//! does an introduction that was sent again; only a batch that was already acknowledged is passed over. So
//! whoever consumes [`LinkEvent`]s does so idempotently, by the ids in the events.

mod calls;
mod claim;
mod client;
mod config;
mod poll_loop;
mod probe;
mod refusal;
mod session;
mod supervisor;

#[cfg(test)]
pub(crate) mod fake_coordinator;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use protocol::{
    Event, Mismatch, Problem, Username,
    session::{NameToken, SessionLimits},
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::config::check_url;
use self::{
    client::Client,
    session::{Held, Keeper, Names, Outlets},
    supervisor::{Command, Supervisor},
};
pub use self::{
    config::{LinkConfig, LinkConfigError, Timings},
    probe::{could_connect, probe},
};
pub use crate::backoff::BackoffRange;
use crate::clock;

/// Events that wait for the daemon's attention. When it is behind by so many, polling pauses, and the
/// coordinator's mailbox, which has a limit of its own, fills instead.
const EVENT_QUEUE: usize = 256;
/// Connects and disconnects come from a person; more than a few at once are a script gone wrong, and wait.
const COMMAND_QUEUE: usize = 4;

/// Where `name_token`s are kept over restarts, with mode 0600. Called on a blocking thread; what can't be kept
/// is the store's to log, for the link works without (a crashed daemon then waits for its own lease to end).
pub trait NameTokenStore: Send + Sync + 'static {
    fn load(&self, username: &Username) -> Option<NameToken>;
    fn save(&self, username: &Username, token: &NameToken);
}

/// What the link tells the daemon, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A session is held and polled. After a `Disconnected` it may be a new one: what was pending at the
    /// coordinator is to be sent again.
    Connected,
    /// The session is gone or out of reach. Alternates with `Connected`.
    Disconnected,
    Event(Event),
}

/// How things stand, for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkStatus {
    /// No username is sought, nor was the last one refused.
    Idle,
    /// A username is sought; `problem` tells in a sentence why it is not held yet.
    Connecting {
        username: Username,
        problem: Option<String>,
    },
    /// The username that was asked for last was refused, and none is sought.
    Refused {
        username: Username,
        problem: String,
    },
    Connected {
        username: Username,
        limits: SessionLimits,
        since: SystemTime,
    },
}

impl LinkStatus {
    /// Why a username is not held.
    fn problem(&self) -> Option<&str> {
        match self {
            Self::Idle | Self::Connected { .. } => None,
            Self::Connecting { problem, .. } => problem.as_deref(),
            Self::Refused { problem, .. } => Some(problem),
        }
    }
}

/// Why the first attempt to connect failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    #[error("the username, or one that looks like it, is taken")]
    UsernameTaken,
    #[error("the coordinator does not allow this username")]
    UsernameInvalid,
    #[error("this coordinator wants a join key, and another than is configured")]
    JoinKeyWrong,
    /// With the coordinator's version, where it tells.
    #[error("{}; it is tried again within half an hour", other_version(*theirs))]
    VersionUnsupported { theirs: Option<u32> },
    #[error("the coordinator wants fewer connects; wait {} s", retry_after.as_secs().max(1))]
    RateLimited { retry_after: Duration },
    /// With the reason, in a sentence.
    #[error("{0}")]
    Unreachable(String),
    #[error("the coordinator refused: {}", .0.title)]
    Refused(Problem),
    /// A later connect or disconnect, or the daemon's end, came before an outcome.
    #[error("the attempt was given up")]
    GivenUp,
}

impl ConnectError {
    /// Whether the link goes on trying by itself.
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::RateLimited { .. } | Self::VersionUnsupported { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

fn other_version(theirs: Option<u32>) -> String {
    let Some(theirs) = theirs else {
        return "the coordinator speaks another protocol version; update the older of the two".to_owned();
    };
    let mismatch = Mismatch {
        us: "this peer-daemon",
        them: "the coordinator",
        theirs,
        if_we_are_older: "update peer-daemon, and start it again",
        if_they_are_older: "ask whoever runs the coordinator to update it",
    };
    mismatch.to_string()
}

/// Why a call failed, after its repeats.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    #[error("not connected to a coordinator")]
    NotConnected,
    /// With the reason, in a sentence.
    #[error("{0}")]
    Unreachable(String),
    #[error("the coordinator wants fewer requests; wait {} s", retry_after.as_secs().max(1))]
    RateLimited { retry_after: Duration },
    #[error("the coordinator refused: {}", .0.title)]
    Problem(Problem),
}

/// The daemon's end of the link. Clones share it.
#[derive(Clone)]
pub struct CoordinatorLink {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    timings: Timings,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<LinkStatus>,
    held: watch::Receiver<Option<Arc<Held>>>,
    /// The latest session that a call found lapsed, by generation; the poll loop hears of it here.
    lapsed: watch::Sender<u64>,
}

impl CoordinatorLink {
    /// Starts the link, idle, and its one task on `tracker`. Cancelling `token` ends the session at the
    /// coordinator (with a short deadline) and then the task.
    pub fn start(
        config: LinkConfig,
        name_tokens: impl NameTokenStore,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<LinkEvent>), LinkConfigError> {
        let client = Client::new(&config)?;
        let (events, event_queue) = mpsc::channel(EVENT_QUEUE);
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (status_sender, status) = watch::channel(LinkStatus::Idle);
        let (held_sender, held) = watch::channel(None);
        let (lapsed, lapsed_receiver) = watch::channel(0);
        let timings = config.timings.clone();
        let keeper = Keeper::new(
            (config, client.clone()),
            Names { store: Arc::new(name_tokens), tracker: tracker.clone() },
            token.clone(),
            lapsed_receiver,
            Outlets { events, status: status_sender, held: held_sender },
        );
        tracker.spawn(Supervisor { commands: command_queue, keeper, token }.run());
        let shared = Shared { client, timings, commands, status, held, lapsed };
        Ok((Self { shared: Arc::new(shared) }, event_queue))
    }

    /// Seeks the username and tells how the first attempt went. Where the error
    /// [goes on](ConnectError::goes_on), so does the link. While another username is held, that one is let go
    /// once this one is granted, and kept, without further attempts, when it is not.
    pub async fn connect(&self, username: Username) -> Result<(), ConnectError> {
        self.seek(username, None).await
    }

    /// The same at the daemon's start, when the username may be held by the session of a daemon that crashed
    /// and lost its `name_token`: goes on for as long as that session can live, and tells the outcome then.
    pub async fn connect_at_start(&self, username: Username) -> Result<(), ConnectError> {
        self.seek(username, Some(clock::now() + self.shared.timings.start_patience)).await
    }

    async fn seek(&self, username: Username, patient_until: Option<Instant>) -> Result<(), ConnectError> {
        let (answer, outcome) = oneshot::channel();
        let command = Command::Connect { username, patient_until, answer };
        self.shared.commands.send(command).await.map_err(|_| ConnectError::GivenUp)?;
        outcome.await.map_err(|_| ConnectError::GivenUp)?
    }

    /// Lets the username go: the session is ended at the coordinator if it can be reached within a short
    /// deadline, and lapses there by itself if not.
    pub async fn disconnect(&self) {
        let (answer, done) = oneshot::channel();
        if self.shared.commands.send(Command::Disconnect { answer }).await.is_ok() {
            // An error means that the link has ended, and with it the session.
            let _ended = done.await;
        }
    }

    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.shared.status.clone()
    }

    /// The address that the coordinator answered from last; `None` until it has.
    pub fn reached(&self) -> watch::Receiver<Option<IpAddr>> {
        self.shared.client.reached()
    }
}
