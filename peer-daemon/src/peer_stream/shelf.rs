//! Where the target's files come from: the seam between the peer stream and the library.

use std::{fs::File, io};

use hyper::body::Bytes;
use protocol::{FileId, FolderContent, root::PieceLayer};
use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShelfError {
    #[error("the file is not there any more")]
    Gone,
    #[error("the file has changed since it was offered")]
    Changed,
    #[error("the disk that the file is on does not answer")]
    Silent,
    #[error("the file can't be read")]
    Unreadable,
}

/// Opens files by their identity.
pub trait Shelf: Send + Sync + 'static {
    type File: ShelfFile;
    fn open(&self, file: &FileId) -> impl Future<Output = Result<OnShelf<Self::File>, ShelfError>> + Send;
    /// The piece layer of a file that could be opened right now.
    fn layer(&self, file: &FileId) -> impl Future<Output = Result<PieceLayer, ShelfError>> + Send;
    /// What is in a folder.
    fn content(&self, folder: &FileId) -> impl Future<Output = Result<FolderContent, ShelfError>> + Send;
    /// What was begun for the stream that has just ended is still not done, and is not waited for any more.
    fn leave_readers(&self);
}

/// A file that was unchanged when it was opened.
pub enum OnShelf<F> {
    /// All of it, where that is little: it needs no thread to read it.
    InMemory(Bytes),
    OnDisk(F),
}

/// An open file.
pub trait ShelfFile: Send + 'static {
    fn file(&self) -> &File;
    /// Asked after reading, before what was read is sent.
    fn is_unchanged(&self) -> io::Result<bool>;
}
