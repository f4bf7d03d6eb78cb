//! The shared files: found, hashed, named, and opened again only if unchanged.
//!
//! ```text
//! start, rescan, watcher ─▶ agenda ─▶ schedule ─▶ scanner ─▶ walker, hasher, hash cache (store)
//!                                                         │
//! search, find, summary ◀── index (a snapshot, with its whole folders) ◀──┘
//! opening ◀── index ─▶ path_guard: the file behind an entry, if it is still the one that was hashed
//! ```
//!
//! Others only ever name a file by its identity; a path never comes from outside.

mod agenda;
mod changed;
mod folder_tree;
mod hasher;
mod index;
mod names;
mod opening;
mod path_guard;
mod preview;
mod scanner;
mod schedule;
mod seams;
mod shares;
mod silent_disks;
mod store;
#[cfg(test)]
mod tests;
mod walker;
mod watcher;
mod whole_folders;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::{
    FileId, FolderSummary, SafeName,
    control::Origin,
    search::{Match, Subject},
};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::opening::{OpenError, OpenFile, Opened};
use self::{
    agenda::Agenda,
    changed::Changed,
    index::{Entry, Index},
    path_guard::{GuardError, Location},
    shares::Share,
    silent_disks::SilentDisks,
    store::HashCache,
};
pub(crate) use self::{
    preview::{NoLink, PreviewError, preview},
    shares::{ShareError, could_share, holds},
};
use crate::state::{State, StateError};

/// A handle to the shared files, cheap to clone.
#[derive(Clone)]
pub struct Library {
    shared: Arc<Shared>,
}

/// A share that can't be offered. The daemon does not start: a typing error would go unnoticed otherwise.
#[derive(Debug, Error)]
pub enum LibraryError {
    #[error("the share {} does not exist: create the folder, or don't share it", path.display())]
    Missing { path: PathBuf },
    #[error("the share {} is not a folder: share the folder that it is in", path.display())]
    NotAFolder { path: PathBuf },
    #[error("the share {} can't be read ({source}): let this user read it, or don't share it", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the share {} holds the daemon's state, and with it the keys of this peer: share other folders", path.display())]
    HoldsState { path: PathBuf },
    #[error(transparent)]
    State(#[from] StateError),
}

/// What is offered, as others see it: one file for each content and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibrarySummary {
    pub files: u64,
    pub bytes: u64,
    /// Whether shares are being read right now, or about to be.
    pub scanning: bool,
}

/// A file, or a folder as a whole, that is offered to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    pub name: SafeName,
    /// Of a folder, its listing's.
    pub file: FileId,
    /// How much is in it, if it is a folder.
    pub folder: Option<FolderSummary>,
}

impl Library {
    /// Checks that the configured shares are there and starts to scan them, and those that were added at run
    /// time, on the tracker, until the token is cancelled. One of the latter may be missing: its disk may just
    /// not be there.
    pub fn start(
        state: State,
        configured: &[(PathBuf, Origin)],
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Result<Self, LibraryError> {
        let shares = shares::at_start(&state, configured)?;
        let mut agenda = Agenda::default();
        agenda.ask_everything();
        let library = Self {
            shared: Arc::new(Shared {
                shares: Mutex::new(shares),
                state: state.clone(),
                index: RwLock::default(),
                changed: Mutex::default(),
                agenda: watch::Sender::new(agenda),
                cache: HashCache::new(state),
                silent_disks: SilentDisks::default(),
                tracker: tracker.clone(),
                hashed_bytes: AtomicU64::new(0),
            }),
        };
        tracker.spawn(schedule::run(Arc::clone(&library.shared), token));
        Ok(library)
    }

    pub fn summary(&self) -> LibrarySummary {
        let scanning = {
            let agenda = self.shared.agenda.borrow();
            !agenda.is_settled(agenda.last())
        };
        let index = self.shared.index();
        LibrarySummary { files: index.offered().count() as u64, bytes: index.offered_bytes(), scanning }
    }

    /// Waits until what was asked to be scanned so far has been scanned, or the library has stopped. A file
    /// that changed while it was hashed is not waited for.
    pub async fn settled(&self) {
        let mut agenda = self.shared.agenda.subscribe();
        let asked = agenda.borrow().last();
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = agenda.wait_for(|agenda| agenda.is_settled(asked)).await;
    }

    /// What answers a search, at most `limit`, exact matches first. Synchronous, and linear in the number of
    /// files: see the index for what that costs.
    /// What is on a disk that does not answer is not offered.
    pub fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        let index = self.shared.index();
        let mut found = index.search(subject, limit);
        found.retain(|found| self.shared.may_be_read(&index, found));
        found
    }

    pub fn find(&self, file: &FileId) -> Option<SharedFile> {
        let index = self.shared.index();
        let entry = index.of_file(file).next();
        let found =
            entry.map(|entry| SharedFile { name: entry.name.clone(), file: entry.file, folder: None });
        found.or_else(|| {
            let (folder, _) = index.folder_of(file)?;
            let (name, folder) = (folder.name.clone(), Some(folder.summary));
            Some(SharedFile { name, file: *file, folder })
        })
    }

    /// The files of these folders, each with a folder that it is in. What is not a folder has none.
    pub(crate) fn files_within(&self, folders: &[FileId]) -> Vec<(FileId, FileId)> {
        self.shared.index().files_within(folders).collect()
    }

    /// Whether a file that is not offered was, and is another one by now; or a folder.
    pub fn has_changed(&self, file: &FileId) -> bool {
        self.shared.changed().has(file)
    }

    /// Looks at all shares again soon.
    pub fn rescan(&self) {
        self.shared.ask_everything();
    }

    /// Looks at the paths of this file again soon: it was found changed.
    pub fn note_changed(&self, file: &FileId) {
        let index = self.shared.index();
        self.shared.ask(index.of_file(file).map(|entry| entry.location.clone()));
    }

    /// Bytes of the files that were hashed since the start.
    pub fn hashed_bytes(&self) -> u64 {
        self.shared.hashed_bytes.load(Ordering::Relaxed)
    }
}

/// What the handles and the scan loop have in common.
struct Shared {
    /// The shares, absolute, each once. Whoever publishes an index holds the lock: a scan that began before a
    /// share was taken out does not bring its files back.
    shares: Mutex<Vec<Share>>,
    state: State,
    /// Replaced as a whole. The lock is held to take or put the pointer, never during a search or a scan.
    index: RwLock<Arc<Index>>,
    /// A plain mutex: held for a look or a note.
    changed: Mutex<Changed>,
    agenda: watch::Sender<Agenda>,
    cache: HashCache,
    silent_disks: SilentDisks,
    tracker: TaskTracker,
    hashed_bytes: AtomicU64,
}

impl Shared {
    fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry is not what its path holds any more: that is looked at anew.
    fn doubt(&self, entry: &Entry) {
        if !matches!(path_guard::open(&entry.location), Err(GuardError::Gone)) {
            self.changed().note(entry.file);
        }
        self.ask([entry.location.clone()]);
    }

    fn shares(&self) -> MutexGuard<'_, Vec<Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folders(&self) -> Vec<Arc<Path>> {
        self.shares().iter().map(|share| Arc::clone(&share.folder)).collect()
    }

    /// Whether the location's share is still one.
    fn offers(&self, location: &Location) -> bool {
        is_in(&self.shares(), location)
    }

    /// Puts an index of these entries in place. Learning the identities of folders takes a while, so it is made before
    /// the lock is taken; where the shares changed meanwhile it is made again, which is quick then.
    fn publish(&self, entries: Vec<Arc<Entry>>, unread: Vec<Location>) {
        let (as_of, before) = (self.shares().clone(), self.index());
        let index = index_of(&as_of, entries, unread, &before);
        let shares = self.shares();
        if *shares == as_of { self.put(&shares, index) } else { self.publish_under(&shares, &index) }
    }

    /// An index of the same entries, as far as they are in these shares.
    fn publish_under(&self, shares: &[Share], index: &Index) {
        let (entries, unread) = (index.entries().to_vec(), index.folders().unread().to_vec());
        self.put(shares, index_of(shares, entries, unread, index));
    }

    /// Notes which folders are others by now.
    fn put(&self, shares: &[Share], index: Index) {
        let before = self.index();
        let mut changed = self.changed();
        for folder in before.folders().iter() {
            let location = &folder.location;
            let now = index.folders().at(location).map(|(folder, _)| folder.file);
            let is_whole = shares.iter().any(|share| share.is_whole && share.folder == location.share);
            if now != Some(folder.file) && is_whole && index.has_below(location) {
                changed.note(folder.file);
            }
        }
        drop(changed);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    fn ask_everything(&self) {
        self.agenda.send_modify(Agenda::ask_everything);
    }

    /// Has locations looked at anew.
    fn ask(&self, locations: impl IntoIterator<Item = Location>) {
        self.agenda.send_modify(|agenda| agenda.ask(locations));
    }

    fn note(&self, report: &scanner::Report) {
        self.hashed_bytes.fetch_add(report.hashed_bytes, Ordering::Relaxed);
        tracing::info!(
            files = self.index().entries().len(),
            hashed_files = report.hashed_files,
            hashed_bytes = report.hashed_bytes,
            unreadable = report.unreadable,
            beyond_limits = report.beyond_limits,
            changing = report.restless.len(),
            "scanned the shares"
        );
    }
}

/// The index over those of the entries that are in these shares.
fn index_of(
    shares: &[Share],
    mut entries: Vec<Arc<Entry>>,
    mut unread: Vec<Location>,
    before: &Index,
) -> Index {
    entries.retain(|entry| is_in(shares, &entry.location));
    unread.retain(|location| is_in(shares, location));
    let whole = shares.iter().filter(|share| share.is_whole).map(|share| Arc::clone(&share.folder));
    Index::new(entries, &whole.collect::<Vec<_>>(), unread, before)
}

/// Locations hold the very pointer of their share.
fn is_in(shares: &[Share], location: &Location) -> bool {
    shares.iter().any(|share| Arc::ptr_eq(&share.folder, &location.share))
}
