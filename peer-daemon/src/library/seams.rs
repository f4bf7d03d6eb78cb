//! How the library plugs into those that use it without knowing it: searches and the peer stream.

use std::{fs::File, io};

use protocol::{
    FileId, FolderContent,
    root::PieceLayer,
    search::{Match, Subject},
};

use super::{Library, OpenError, OpenFile, Opened};
use crate::{
    peer_stream::shelf::{OnShelf, Shelf, ShelfError, ShelfFile},
    searches::Catalogue,
};

impl Catalogue for Library {
    fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        Self::search(self, subject, limit)
    }
}

impl Shelf for Library {
    type File = OpenFile;

    async fn open(&self, file: &FileId) -> Result<OnShelf<OpenFile>, ShelfError> {
        Ok(match Self::open(self, file).await? {
            Opened::InMemory(content) => OnShelf::InMemory(content),
            Opened::OnDisk(file) => OnShelf::OnDisk(file),
        })
    }

    async fn layer(&self, file: &FileId) -> Result<PieceLayer, ShelfError> {
        Ok(Self::layer(self, file).await?)
    }

    async fn content(&self, folder: &FileId) -> Result<FolderContent, ShelfError> {
        Ok(Self::content(self, folder).await?)
    }

    fn leave_readers(&self) {
        Self::leave_readers(self);
    }
}

impl From<OpenError> for ShelfError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Gone => Self::Gone,
            OpenError::Changed => Self::Changed,
            OpenError::Silent => Self::Silent,
            OpenError::Io(_) => Self::Unreadable,
        }
    }
}

impl ShelfFile for OpenFile {
    fn file(&self) -> &File {
        &self.file
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        Self::is_unchanged(self)
    }
}
