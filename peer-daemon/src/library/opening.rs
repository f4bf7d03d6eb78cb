//! Opens what is shared by its identity: files from the disk, listings of folders as they are made again.
//!
//! What is opened was unchanged at that moment. Of a small file and of a listing, everything is read then and there:
//! for those, that is all that touches the disk.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use hyper::body::Bytes;
use protocol::{
    FileId, FolderContent,
    root::{FileHasher, PieceLayer},
    search::Match,
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    Library, Shared,
    hasher::Stamp,
    index::{Entry, Index},
    path_guard::{self, GuardError, Location},
    silent_disks::AtWork,
    walker,
    whole_folders::{self, WholeFolder},
};

/// Files up to this size are read as they are opened. Larger ones are read piece by piece, ahead of the network.
const SMALL_FILE_BYTES: u64 = 256 * 1024;

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("it is not shared any more")]
    Gone,
    #[error("it has changed since it was hashed")]
    Changed,
    #[error("its disk does not answer")]
    Silent,
    #[error("it can't be read")]
    Io(#[from] io::Error),
}

/// Something shared, unchanged when it was opened.
pub enum Opened {
    /// All of it.
    InMemory(Bytes),
    OnDisk(OpenFile),
}

/// A file that is read as it is sent.
pub struct OpenFile {
    pub file: File,
    entry: Arc<Entry>,
    library: Arc<Shared>,
    /// The last field, so that closing the file is part of it.
    _at_work: AtWork,
}

impl OpenFile {
    /// Whether the file is still what was hashed. To be asked after reading and before what was read is sent:
    /// then bytes of a changed file are never sent as this file's. If it is not, its path is looked at anew by
    /// itself. One `fstat`, so it needs no blocking thread of its own beside the read.
    ///
    /// What is not shared any more counts as changed: a share that was taken out ends what is sent of it.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        let is_unchanged = Stamp::of(&self.file)? == self.entry.stamp;
        if !is_unchanged {
            self.library.doubt(&self.entry);
        }
        Ok(is_unchanged && self.library.offers(&self.entry.location))
    }
}

impl Library {
    /// Opens a file by its identity, from whichever of its paths still holds it; or a folder's listing, by that of the
    /// folder. Paths that don't hold what they should are looked at anew by themselves.
    pub async fn open(&self, file: &FileId) -> Result<Opened, OpenError> {
        let file = *file;
        self.blocking(move |shared| match shared.open(&file) {
            Err(OpenError::Gone | OpenError::Changed) if shared.index().folder_of(&file).is_some() => {
                shared.listing(&file).map(|listing| Opened::InMemory(listing.into()))
            }
            opened => opened,
        })
        .await
    }

    /// The piece layer of a file, or of a listing, that could be opened right now.
    pub async fn layer(&self, file: &FileId) -> Result<PieceLayer, OpenError> {
        let file = *file;
        self.blocking(move |shared| match shared.by_any_path(&file, |entry| shared.layer_of(entry)) {
            Err(OpenError::Gone | OpenError::Changed) if shared.index().folder_of(&file).is_some() => {
                let listing = shared.listing(&file)?;
                let mut hasher = FileHasher::new(listing.len() as u64);
                hasher.update(&listing);
                hasher.finish().map(|(_, layer)| layer).map_err(io::Error::other).map_err(OpenError::Io)
            }
            layer => layer,
        })
        .await
    }

    /// What is in a folder. Of its files, some may have changed since.
    pub async fn content(&self, folder: &FileId) -> Result<FolderContent, OpenError> {
        let folder = *folder;
        self.blocking(move |shared| {
            let index = shared.index();
            let (folder, entries) = index.folder_of(&folder).ok_or(OpenError::Gone)?;
            whole_folders::content(folder, entries).map_err(io::Error::other).map_err(OpenError::Io)
        })
        .await
    }

    /// Whoever reads here has been given up.
    pub(crate) fn leave_readers(&self) {
        self.shared.silent_disks.leave();
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Shared>) -> Result<T, OpenError> + Send + 'static,
    ) -> Result<T, OpenError> {
        let shared = Arc::clone(&self.shared);
        let working = self.shared.tracker.spawn_blocking(move || work(&shared));
        working.await.unwrap_or_else(|error| Err(OpenError::Io(io::Error::other(error))))
    }
}

impl Shared {
    fn open(self: &Arc<Self>, file: &FileId) -> Result<Opened, OpenError> {
        self.by_any_path(file, |entry| {
            let at_work = self.begin(&entry.location)?;
            let open = OpenFile {
                file: open_entry(entry)?,
                entry: Arc::clone(entry),
                library: Arc::clone(self),
                _at_work: at_work,
            };
            if entry.file.size > SMALL_FILE_BYTES {
                return Ok(Opened::OnDisk(open));
            }
            let mut content = vec![0; usize::try_from(entry.file.size).map_err(io::Error::other)?];
            let read = open.file.read_exact_at(&mut content, 0);
            // A file that was cut short has changed too.
            let is_cut_short = matches!(&read, Err(error) if error.kind() == io::ErrorKind::UnexpectedEof);
            if is_cut_short || Stamp::of(&open.file)? != entry.stamp {
                return Err(OpenError::Changed);
            }
            read?;
            Ok(Opened::InMemory(content.into()))
        })
    }

    fn layer_of(&self, entry: &Arc<Entry>) -> Result<PieceLayer, OpenError> {
        let _at_work = self.begin(&entry.location)?;
        drop(open_entry(entry)?);
        if entry.file.piece_count() == 1 {
            return PieceLayer::verify(&entry.file, &[]).map_err(io::Error::other).map_err(OpenError::Io);
        }
        let layer = self.cache.layer(&entry.stamp, &entry.file).map_err(io::Error::other)?;
        if layer.is_none() {
            // The record is damaged or gone. Forgotten, it is made anew by the scan that follows.
            self.cache.forget(&entry.stamp).map_err(io::Error::other)?;
        }
        layer.ok_or(OpenError::Changed)
    }

    fn begin(&self, location: &Location) -> Result<AtWork, OpenError> {
        self.silent_disks.begin(&location.share).ok_or(OpenError::Silent)
    }

    /// Whether a match is on a disk that answers, at one of its paths.
    pub(super) fn may_be_read(&self, index: &Index, found: &Match) -> bool {
        let answers = |location: &Location| !self.silent_disks.is_silent(&location.share);
        let Ok(file) = FileId::new(found.root, found.size) else { return false };
        index.of_file(&file).any(|entry| answers(&entry.location))
            || index.folder_of(&file).is_some_and(|(folder, _)| answers(&folder.location))
    }

    /// What comes of the first of a file's paths from which something does.
    fn by_any_path<T>(
        &self,
        file: &FileId,
        attempt: impl Fn(&Arc<Entry>) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let mut outcome = Err(if self.changed().has(file) { OpenError::Changed } else { OpenError::Gone });
        for entry in self.index().of_file(file) {
            match attempt(entry) {
                Ok(found) => return Ok(found),
                // Looking would take another thread.
                Err(OpenError::Silent) => outcome = Err(OpenError::Silent),
                Err(error) => {
                    self.doubt(entry);
                    // That one path is gone says less than that another one changed.
                    if !matches!(error, OpenError::Gone) {
                        outcome = Err(error);
                    }
                }
            }
        }
        outcome
    }

    /// The listing of a folder whose files are all what they were.
    fn listing(&self, file: &FileId) -> Result<Vec<u8>, OpenError> {
        let index = self.index();
        let (folder, entries) = index.folder_of(file).ok_or(OpenError::Gone)?;
        let _at_work = self.begin(&folder.location)?;
        self.look_through(folder, entries)?;
        whole_folders::list(folder, entries).map_err(io::Error::other).map_err(OpenError::Io)
    }

    /// Whether all of a folder's files are where they were, and as they were. Files that came are none of the listing,
    /// and are noticed by others.
    pub(super) fn look_through(&self, folder: &WholeFolder, entries: &[Arc<Entry>]) -> Result<(), OpenError> {
        let mut found = walker::walk_below(&folder.location, &CancellationToken::new())
            .map_err(|walker::Cancelled| OpenError::Gone)?
            .found;
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let is_there = |entry: &Entry| {
            let at = found.binary_search_by(|found| found.location.cmp(&entry.location));
            at.is_ok_and(|at| found[at].stamp == entry.stamp)
        };
        let mut others = entries.iter().filter(|entry| !is_there(entry)).peekable();
        if others.peek().is_none() {
            return Ok(());
        }
        self.ask(others.map(|entry| entry.location.clone()));
        if found.is_empty() {
            return Err(OpenError::Gone);
        }
        self.changed().note(folder.file);
        Err(OpenError::Changed)
    }
}

/// The file at an entry's path, if it is still the one that was hashed.
fn open_entry(entry: &Entry) -> Result<File, OpenError> {
    let (file, stamp) = path_guard::open(&entry.location).map_err(|error| match error {
        GuardError::Gone => OpenError::Gone,
        GuardError::NotRegular => OpenError::Changed,
        GuardError::Io(error) => OpenError::Io(error),
    })?;
    if stamp == entry.stamp { Ok(file) } else { Err(OpenError::Changed) }
}
