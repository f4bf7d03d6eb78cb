//! How the library plugs into those that use it without knowing it: searches and the peer stream.

use std::{fs::File, io, sync::Arc};

use protocol::{
    FileId,
    root::PieceLayer,
    search::{Match, Subject},
};

use super::{Library, OpenError, OpenFile};
use crate::{
    peer_stream::shelf::{Shelf, ShelfError, ShelfFile},
    searches::Catalogue,
};

impl Catalogue for Library {
    fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        Self::search(self, subject, limit)
    }
}

impl Shelf for Library {
    type File = OpenFile;

    async fn open(&self, file: &FileId) -> Result<OpenFile, ShelfError> {
        Self::open(self, file).await.map_err(|error| match error {
            OpenError::Gone => ShelfError::Gone,
            OpenError::Changed => ShelfError::Changed,
            OpenError::Io(_) => ShelfError::Unreadable,
        })
    }
}

impl ShelfFile for OpenFile {
    fn file(&self) -> &File {
        &self.file
    }

    fn layer(&self) -> Arc<PieceLayer> {
        Arc::clone(&self.layer)
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        Self::is_unchanged(self)
    }
}
