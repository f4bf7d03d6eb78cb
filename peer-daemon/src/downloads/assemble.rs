//! A file on its way to the disk: written as a `.part`, finished by a rename that never overwrites.

use std::io;

use cap_std::fs::Dir;
use protocol::SafeName;
use thiserror::Error;

/// Why the disk did not take it, by what helps against it.
#[derive(Debug, Error)]
pub enum AssembleError {
    #[error("there is no space left on the disk")]
    NoSpace(#[source] io::Error),
    #[error("the download directory can't be written to")]
    Permission(#[source] io::Error),
    #[error("the download directory or the partial file was removed")]
    Gone(#[source] io::Error),
    #[error("the disk did not take the file")]
    Other(#[source] io::Error),
}

/// A partial file. All methods block: async callers use them in `spawn_blocking`.
#[derive(Debug)]
pub struct PartFile {}

impl PartFile {
    /// Creates `NAME.part`, numbered if that is taken.
    pub fn create(_dir: &Dir, _name: &SafeName) -> Result<Self, AssembleError> {
        todo!()
    }
    /// The partial file's name in the directory.
    pub fn part_name(&self) -> &SafeName {
        todo!()
    }
    pub fn write_at(&self, _offset: u64, _bytes: &[u8]) -> Result<(), AssembleError> {
        todo!()
    }
    /// Returns once all that was written is on the disk.
    pub fn sync(&self) -> Result<(), AssembleError> {
        todo!()
    }
    /// Syncs the file and gives it its name, numbered if that is taken; returns the name it got.
    pub fn finish(self) -> Result<SafeName, AssembleError> {
        todo!()
    }
    /// Removes the partial file.
    pub fn discard(self) -> Result<(), AssembleError> {
        todo!()
    }
}
