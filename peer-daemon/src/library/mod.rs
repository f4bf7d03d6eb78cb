//! The shared files: found, hashed, named, opened again unchanged.

use std::{fs::File, path::PathBuf, sync::Arc};

use protocol::{
    FileId, SafeName,
    root::PieceLayer,
    search::{Match, Subject},
};
use thiserror::Error;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::state::State;

/// A handle to the shared files, cheap to clone.
#[derive(Clone)]
pub struct Library {}

#[derive(Debug, Error)]
pub enum LibraryError {
    #[error("the share {} does not exist: create it or take it out of the configuration", path.display())]
    Missing { path: PathBuf },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibrarySummary {
    pub files: u64,
    pub bytes: u64,
    /// Whether shares are being read right now.
    pub scanning: bool,
}

/// A file that is offered to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFile {
    pub name: SafeName,
    pub file: FileId,
}

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("the file is not shared any more")]
    Gone,
    #[error("the file changed since it was hashed")]
    Changed,
    #[error("the file can't be read")]
    Io(#[from] std::io::Error),
}

/// A shared file, opened for reading, that was unchanged when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    pub file: File,
    pub shared: SharedFile,
    pub layer: Arc<PieceLayer>,
}

impl OpenFile {
    /// Whether the file is still what was hashed: asked after reading, before what was read is sent.
    pub fn is_unchanged(&self) -> std::io::Result<bool> {
        todo!()
    }
}

impl Library {
    /// Checks that the shares are there and starts to scan them on the tracker.
    pub fn start(
        _state: State,
        _shares: Vec<PathBuf>,
        _tracker: &TaskTracker,
        _token: CancellationToken,
    ) -> Result<Self, LibraryError> {
        todo!()
    }
    pub fn summary(&self) -> LibrarySummary {
        todo!()
    }
    /// Waits until what was asked to be scanned so far has been scanned, or the library has stopped.
    pub async fn settled(&self) {
        todo!()
    }
    /// What answers a search, exact matches first. Blocks for the time of a linear scan (see the index).
    pub fn search(&self, _subject: &Subject, _limit: usize) -> Vec<Match> {
        todo!()
    }
    pub fn find(&self, _file: &FileId) -> Option<SharedFile> {
        todo!()
    }
    pub async fn open(&self, _file: &FileId) -> Result<OpenFile, OpenError> {
        todo!()
    }
    /// Looks at all shares again soon.
    pub fn rescan(&self) {
        todo!()
    }
    /// Looks at the paths of this file again soon: it was found changed.
    pub fn note_changed(&self, _file: &FileId) {
        todo!()
    }
}
