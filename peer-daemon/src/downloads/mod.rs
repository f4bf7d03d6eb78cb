//! Downloads: what this peer fetches, one stream at a time.
//!
//! ```text
//!  get ──▶ Book ──▶ one task a source: introduce, wait ──▶ dial-back with the right key ──▶ the one slot
//!                        ▲        │ declined, no word                                          │
//!                        │        ▼                                                            ▼
//!                        └─ stream lost ◀────────────── fetch, check, write, rename ──▶ finished, failed
//! ```
//!
//! States: `queued → requesting → waiting → transferring → verifying → finished`, and `failed`, `cancelled`
//! from any of them.

pub mod assemble;
mod batch;
mod book;
mod dial_me;
mod entry;
mod failure;
mod fetch;
mod introduce;
mod pending;
mod plan;
mod receive;
mod requesting;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cap_std::{ambient_authority, fs::Dir};
use protocol::{
    IntroductionId, Username,
    control::{Download, DownloadState},
    introduction::HeardReply,
};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{book::Book, entry::DownloadId, pending::PendingIntroductions, requesting::SourceTask};
use crate::{
    clock,
    coordinator_link::CoordinatorLink,
    dialler::Dialler,
    introductions::keeper::IdentityKeeper,
    peer_stream::listen::PortListener,
    searches::{Searches, Source},
};

/// What downloads need of the rest of the daemon.
pub(crate) struct Parts {
    pub(crate) link: CoordinatorLink,
    pub(crate) searches: Searches,
    pub(crate) identities: IdentityKeeper,
    pub(crate) dialler: Arc<Dialler>,
    /// Where finished files go.
    pub(crate) directory: PathBuf,
    /// The download port as others reach it.
    pub(crate) public_port: u16,
    pub(crate) tracker: TaskTracker,
    pub(crate) token: CancellationToken,
}

/// The requester's side of introductions. Clones share it.
#[derive(Clone)]
pub(crate) struct Downloads {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    /// Every write below the download directory goes through this handle.
    folder: Arc<Dir>,
    /// A plain mutex: it is held for a look or a change, never over an await.
    book: Mutex<Book>,
    pending: PendingIntroductions,
    /// One download at a time.
    slot: Semaphore,
    /// Counts changes of state, for those who wait for one.
    changes: watch::Sender<u64>,
    /// Counts sessions: pending introductions are sent again with each new one.
    sessions: watch::Sender<u64>,
}

/// The download directory can't be used.
#[derive(Debug, Error)]
#[error("can't use the download folder {}: {source}; name another with --download-dir", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: std::io::Error,
}

/// There is no room for another download.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many downloads are waiting; cancel some first")]
pub(crate) struct TooMany;

impl Downloads {
    /// Opens the folder and starts to accept dial-backs.
    pub(crate) fn start(parts: Parts, listener: PortListener) -> Result<Self, FolderError> {
        let folder = open_folder(&parts.directory)?;
        let pending = PendingIntroductions::default();
        parts.tracker.spawn(receive::receive_dial_backs(
            listener,
            pending.clone(),
            parts.identities.clone(),
            parts.tracker.clone(),
            parts.token.clone(),
        ));
        let shared = Shared {
            parts,
            folder: Arc::new(folder),
            book: Mutex::default(),
            pending,
            slot: Semaphore::new(1),
            changes: watch::Sender::new(0),
            sessions: watch::Sender::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Adds a download and sees to it that its source is asked.
    pub(crate) fn add(&self, source: Source) -> Result<Download, TooMany> {
        let username = source.username.clone();
        let token = self.shared.parts.token.child_token();
        let (view, begun) = {
            let mut book = self.book();
            let id = book.add(source, &self.shared.parts.directory, token).map_err(|_| TooMany)?;
            let view = book.get_mut(id).ok_or(TooMany)?.view(clock::now());
            (view, book.begin_asking(&username).then_some(username))
        };
        self.note_change();
        self.start_asking(begun);
        Ok(view)
    }

    pub(crate) fn list(&self) -> Vec<Download> {
        self.book().list(clock::now())
    }

    pub(crate) fn get(&self, id: &str) -> Option<Download> {
        let id = DownloadId(id.parse().ok()?);
        self.book().get_mut(id).map(|entry| entry.view(clock::now()))
    }

    /// The one that is transferring.
    pub(crate) fn current(&self) -> Option<Download> {
        self.book().current(clock::now())
    }

    /// The download, once it has ended or after the wait.
    pub(crate) async fn wait_for_end(&self, id: &str, wait: Duration) -> Option<Download> {
        let mut changes = self.shared.changes.subscribe();
        let ended = async {
            loop {
                let download = self.get(id);
                if download.as_ref().is_none_or(|download| download.state.has_ended())
                    || changes.changed().await.is_err()
                {
                    return;
                }
            }
        };
        // After the wait, the answer is how it stands.
        let _elapsed = tokio::time::timeout(wait, ended).await;
        self.get(id)
    }

    /// Ends a download and removes what was written of it. One that has ended stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Option<Download> {
        let id = DownloadId(id.parse().ok()?);
        let view = {
            let mut book = self.book();
            let entry = book.get_mut(id)?;
            entry.move_to(DownloadState::Cancelled, None);
            entry.token.cancel();
            entry.view(clock::now())
        };
        self.note_change();
        Some(view)
    }

    /// Puts a download back into the queue, with another source if one is named.
    fn ask_again(&self, id: DownloadId, source: Option<Source>) {
        let begun = {
            let mut book = self.book();
            let Some(entry) = book.get_mut(id) else { return };
            entry.move_to(DownloadState::Queued, None);
            if let Some(source) = source {
                entry.source = Source { name: entry.name(), ..source };
            }
            let username = entry.source.username.clone();
            book.begin_asking(&username).then_some(username)
        };
        self.note_change();
        self.start_asking(begun);
    }

    fn start_asking(&self, begun: Option<Username>) {
        if let Some(username) = begun {
            let task = SourceTask::new(self.clone(), username);
            self.shared.parts.tracker.spawn(task.run());
        }
    }

    /// The target's word on an introduction.
    pub(crate) fn on_reply(&self, id: IntroductionId, word: HeardReply) {
        self.shared.pending.hear(id, word);
    }

    /// A new session is held: pending introductions are sent again.
    pub(crate) fn on_connected(&self) {
        self.shared.sessions.send_modify(|sessions| *sessions += 1);
    }

    /// Dial-backs that were turned away since the start.
    pub(crate) fn refused_dial_backs(&self) -> u64 {
        self.shared.pending.refusals()
    }

    fn note_change(&self) {
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the folder if it is missing.
fn open_folder(path: &Path) -> Result<Dir, FolderError> {
    std::fs::create_dir_all(path)
        .and_then(|()| Dir::open_ambient_dir(path, ambient_authority()))
        .map_err(|source| FolderError { path: path.to_owned(), source })
}
