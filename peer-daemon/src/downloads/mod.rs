//! Downloads: what this peer fetches, one stream at a time.
//!
//! ```text
//!  get ──▶ Book ──▶ one task a source: introduce, wait ──▶ dial-back with the right key ──▶ the one slot
//!          ▲  ▲                 │ setback                                                         │
//!          │  └── ask again ────┤◀──── stream lost, wrong piece ────────── fetch, check, write ───┤
//!          └── agenda: search ◀─┘                                                                 ▼
//!                when due       └─ no hope ──▶ failed                                         finished
//! ```
//!
//! States: `queued → requesting → waiting → transferring → verifying → finished`; `failed`, `cancelled` from any of
//! them; `paused` by a person, or for as long as the disk does not take it (`holding`). What leads from one to another
//! is in `life`.

mod agenda;
pub mod assemble;
mod batch;
mod bits;
mod book;
mod commands;
mod content;
mod dial_me;
mod disk_trouble;
#[cfg(test)]
mod earlier_versions;
mod entry;
mod errand;
mod failure;
mod fetch;
mod folder;
mod group;
mod history;
mod holding;
mod introduce;
mod life;
mod looks;
#[cfg(test)]
mod mounted;
mod names;
mod parts;
mod pending;
mod placing;
mod plan;
mod receive;
mod recorder;
mod requesting;
mod revive;
mod saving;
mod sessions;
mod setback;
mod silence;
mod slot;
mod step;
mod store;
mod tree;
mod tried;
mod upcoming;
mod why;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::{Conflict, IntroductionId, Username, control::Download, introduction::HeardReply};
use thiserror::Error;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    batch::Item,
    book::{Book, Wanted},
    entry::Entry,
    folder::DownloadFolder,
    pending::PendingIntroductions,
    receive::Receiver,
    requesting::SourceTask,
    sessions::SessionNews,
    slot::Slot,
    store::DownloadStore,
};
pub(crate) use self::{commands::ChangeError, entry::DownloadId};
use crate::{
    clock,
    coordinator_link::CoordinatorLink,
    dialler::Dialler,
    introductions::keeper::IdentityKeeper,
    peer_stream::{limits::StreamLimits, listen::PortListener, throttle::Throttle},
    searches::{Searches, Source},
    state::{State, StateError},
};

/// Sources that are asked at a time, or in whose queue downloads wait: a coordinator has 64 introductions of one
/// peer pending.
const SOURCES_ASKED_MAX: usize = 60;

/// What downloads need of the rest of the daemon.
pub(crate) struct Parts {
    pub(crate) link: CoordinatorLink,
    pub(crate) searches: Searches,
    pub(crate) identities: IdentityKeeper,
    pub(crate) dialler: Arc<Dialler>,
    /// Where finished files go.
    pub(crate) directory: PathBuf,
    /// What is done where a name is taken, unless a download says otherwise.
    pub(crate) conflict: Conflict,
    /// The download port as others reach it.
    pub(crate) public_port: u16,
    /// A download that can't go on is given up after so long without a byte.
    pub(crate) give_up_after: Duration,
    /// One that waits in a source's queue for so long looks for another source, and then more and more seldom.
    pub(crate) look_around_after: Duration,
    /// A source that dribbles for so long makes way for a download that waits.
    pub(crate) slow_after: Duration,
    /// How fast files may come.
    pub(crate) throttle: Throttle,
    /// How long a source is borne with.
    pub(crate) limits: StreamLimits,
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
    store: DownloadStore,
    /// What was synced in another boot is checked before it counts.
    boot_id: Arc<str>,
    folder: Arc<DownloadFolder>,
    /// Rung when a download begins to wait for the disk.
    held: Notify,
    /// A plain mutex: it is held for a look or a change, never over an await.
    book: Mutex<Book>,
    /// Held while records are saved, so that an older one never comes after a newer one.
    saving: tokio::sync::Mutex<()>,
    pending: PendingIntroductions,
    /// One download at a time.
    slot: Slot,
    /// Sources that are asked at a time.
    asking: Semaphore,
    /// Counts changes of state, for those who wait for one.
    changes: watch::Sender<u64>,
    sessions: SessionNews,
}

/// Downloads can't be started.
#[derive(Debug, Error)]
pub enum DownloadsError {
    #[error("can't use the download folder {}: {source}; name another with --download-dir", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    State(#[from] StateError),
}

impl Downloads {
    /// Takes up what an earlier process had, and starts to accept dial-backs.
    pub(crate) fn start(parts: Parts, state: State, listener: PortListener) -> Result<Self, DownloadsError> {
        let folder = DownloadFolder::at_start(parts.directory.clone(), state.clone())?;
        let store = DownloadStore::new(state);
        let loaded = store.load()?;
        let mut book = Book::default();
        book.restore(loaded, &parts.token);
        let waiting = book.waiting_sources();
        let pending = PendingIntroductions::default();
        let receiver = Receiver {
            pending: pending.clone(),
            identities: parts.identities.clone(),
            throttle: parts.throttle.clone(),
            limits: parts.limits,
        };
        parts.tracker.spawn(receiver.accept(listener, parts.tracker.clone(), parts.token.clone()));
        let shared = Shared {
            parts,
            store,
            boot_id: boot_id(),
            folder: Arc::new(folder),
            held: Notify::new(),
            book: Mutex::new(book),
            saving: tokio::sync::Mutex::default(),
            pending,
            slot: Slot::new(),
            asking: Semaphore::new(SOURCES_ASKED_MAX),
            changes: watch::Sender::new(0),
            sessions: SessionNews::default(),
        };
        let downloads = Self { shared: Arc::new(shared) };
        downloads.shared.parts.tracker.spawn(downloads.clone().save_changes());
        downloads.shared.parts.tracker.spawn(downloads.clone().ask_when_due());
        downloads.shared.parts.tracker.spawn(downloads.clone().seek_when_due());
        downloads.shared.parts.tracker.spawn(downloads.clone().send_again_with_new_keys());
        downloads.shared.parts.tracker.spawn(downloads.clone().watch_held());
        for username in waiting {
            downloads.ask(username);
        }
        Ok(downloads)
    }

    /// Adds downloads and sees to it that their sources are asked. They are saved before this returns.
    pub(crate) async fn add(
        &self,
        sources: Vec<Source>,
        conflict: Option<Conflict>,
    ) -> Result<Vec<Download>, ChangeError> {
        let usernames: Vec<_> = sources.iter().map(|source| source.username.clone()).collect();
        let conflict = conflict.unwrap_or(self.shared.parts.conflict);
        let there =
            if conflict == Conflict::Skip { self.names_there(&sources).await } else { HashSet::new() };
        let added = {
            let mut book = self.book();
            let mut names = book.names_under_way();
            let add = |source| {
                let wanted = Wanted { source, conflict, token: self.shared.parts.token.child_token() };
                let is_there = there.contains(&wanted.source.name);
                let id = book.add(wanted, is_there, &mut names, &self.shared.parts.directory);
                let id = id.map_err(|_full| ChangeError::TooMany)?;
                Ok(book.get_mut(id).ok_or(ChangeError::Unknown)?.view(clock::now()))
            };
            sources.into_iter().map(add).collect()
        };
        for username in usernames {
            self.ask(username);
        }
        self.follow_up(None).await?;
        added
    }

    pub(crate) fn list(&self) -> Vec<Download> {
        self.book().list(clock::now())
    }

    pub(crate) fn get(&self, id: DownloadId) -> Option<Download> {
        self.book().view(id, clock::now())
    }

    /// The one that is transferring.
    pub(crate) fn current(&self) -> Option<Download> {
        self.book().current(clock::now())
    }

    /// The download, once it has ended or after the wait.
    pub(crate) async fn wait_for_end(&self, id: DownloadId, wait: Duration) -> Option<Download> {
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

    /// The target's word on an introduction.
    pub(crate) fn on_reply(&self, id: IntroductionId, word: HeardReply) {
        self.shared.pending.hear(id, word);
    }

    /// A new session is held: pending introductions are sent again.
    pub(crate) fn on_connected(&self) {
        self.shared.sessions.begin(clock::now().into());
    }

    /// Whether a source has dialled this peer since the start.
    pub(crate) fn was_dialled(&self) -> bool {
        self.shared.pending.was_dialled()
    }

    /// Dial-backs that were turned away since the start.
    pub(crate) fn refused_dial_backs(&self) -> u64 {
        self.shared.pending.refusals()
    }

    /// Changes a record, unless the download was stopped meanwhile: whoever stops one cancels its token under the
    /// book's lock, which is held for both.
    fn change_item<T>(&self, item: &Item, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let changed = {
            let mut book = self.book();
            let entry = book.get_mut(item.id).filter(|_| !item.token.is_cancelled());
            entry.map(change)
        };
        self.note_change();
        changed
    }

    /// The same where it may end: one in which nothing was received leaves no partial file.
    fn settle_item<T>(&self, item: &Item, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let (changed, leftovers) =
            self.change_item(item, |entry| (change(entry), entry.take_empty_part()))?;
        if let Some(leftovers) = leftovers {
            let downloads = self.clone();
            self.shared.parts.tracker.spawn(async move { downloads.discard(leftovers).await });
        }
        Some(changed)
    }

    /// Sees to it that a task asks this source for what is wanted of it.
    fn ask(&self, username: Username) {
        if self.book().begin_asking(&username) {
            self.begin_task(SourceTask::new(self.clone(), username));
        }
    }

    fn begin_task(&self, task: SourceTask) {
        self.shared.parts.tracker.spawn(task.run());
    }

    /// After the daily change of identity, pending introductions go out with the new certificate: a dial-back
    /// is answered with the current one.
    async fn send_again_with_new_keys(self) {
        let mut keys = self.shared.parts.identities.answer_keys();
        loop {
            tokio::select! {
                next = keys.changed() => if next.is_err() { return },
                () = self.shared.parts.token.cancelled() => return,
            }
            self.shared.sessions.change_keys();
        }
    }

    fn note_change(&self) {
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Differs after every boot; where the system does not tell, each start counts as a boot of its own.
fn boot_id() -> Arc<str> {
    let told = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    told.map_or_else(|_| IntroductionId::random().to_string(), |id| id.trim().to_owned()).into()
}
