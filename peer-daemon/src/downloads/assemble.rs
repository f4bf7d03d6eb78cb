//! A file on its way to the disk: written as `NAME.part`, given its name when it is whole.
//!
//! ```text
//! create ─▶ NAME.part ── write_at, sync ──▶ finish: fsync ─▶ rename, over a file only if told to ─▶ fsync of folder
//!                              └──────────▶ discard: removed
//! ```
//!
//! So a file under its own name is always whole, and survives a power cut from the moment that `finish` has
//! returned. All names are relative to a handle of the download directory and safe components of one level:
//! nothing is written outside it. Files get the mode that the user's umask gives to any new file: what may be
//! read in the download directory is the user's choice.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, MetadataExt as _, OpenOptions};
use protocol::{Conflict, SafeName};
use thiserror::Error;

use super::placing::{create_new, first_free, rename_new, syncable};

/// Ends the names of files that are not whole yet.
pub(super) const PARTIAL: &str = ".part";
/// Recorded in the place of an inode for a file that is about to be created. No file has it.
pub const ANNOUNCED: u64 = 0;

/// Why the disk did not take it, by what helps against it.
#[derive(Debug, Error)]
pub enum AssembleError {
    #[error("there is no space left on the disk")]
    NoSpace(#[source] io::Error),
    #[error("the download directory can't be written to")]
    Permission(#[source] io::Error),
    #[error("the partial file was removed, or another file is in its place")]
    Gone(#[source] io::Error),
    /// FAT, on most sticks, ends at 4 GiB.
    #[error("the file system of the download folder does not take files of this size")]
    TooLarge(#[source] io::Error),
    #[error("the file system of the download folder does not take a name of this kind")]
    Name(#[source] io::Error),
    /// And what has it was to be left alone.
    #[error("{0} is there already")]
    NameTaken(SafeName),
    /// What was written is not looked at any further: the download was stopped, or the daemon ends.
    #[error("it is not wanted any more")]
    Stopped,
    #[error("the disk did not take the file")]
    Other(#[source] io::Error),
}

impl From<io::Error> for AssembleError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::NoSpace(error),
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Permission(error),
            Kind::NotFound | Kind::StaleNetworkFileHandle => Self::Gone(error),
            Kind::FileTooLarge => Self::TooLarge(error),
            Kind::InvalidFilename => Self::Name(error),
            _ => Self::Other(error),
        }
    }
}

/// A partial file. All methods block: async callers use them in `spawn_blocking`.
#[derive(Debug)]
pub struct PartFile {
    dir: Dir,
    file: File,
    part: SafeName,
    /// The name that the whole file is to get.
    name: SafeName,
}

impl PartFile {
    /// Creates `NAME.part`, numbered if that is taken. The partial files of two downloads are never the same.
    pub fn create(dir: &Dir, name: &SafeName) -> Result<Self, AssembleError> {
        Self::create_announced(dir, name, &part_name(name), |_| Ok(()))
    }

    /// The same under another name; what it is about to create is announced first, so that it is found again if
    /// the process ends right after that.
    pub fn create_announced<E: From<AssembleError>>(
        dir: &Dir,
        name: &SafeName,
        part_name: &SafeName,
        mut announce: impl FnMut(&SafeName) -> Result<(), E>,
    ) -> Result<Self, E> {
        let dir = dir.try_clone().map_err(AssembleError::from)?;
        let mut refused = None;
        let created = first_free(part_name, |part| {
            announce(part).map_err(|error| {
                refused = Some(error);
                io::Error::other("it was not announced")
            })?;
            create_new(&dir, part.as_str())
        });
        let (part, file) =
            created.map_err(|error| refused.unwrap_or_else(|| AssembleError::from(error).into()))?;
        Ok(Self { dir, file, part, name: name.clone() })
    }

    /// Opens a partial file that an earlier process left.
    pub fn open(dir: &Dir, part: &SafeName, name: &SafeName) -> Result<Self, AssembleError> {
        let dir = dir.try_clone()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).follow(FollowSymlinks::No);
        let file = dir.open_with(part.as_str(), &options)?.into_std();
        Ok(Self { dir, file, part: part.clone(), name: name.clone() })
    }

    /// Whether this is the file that was recorded under its name: the very file, or one that was announced and
    /// is still empty.
    pub fn is_recorded_as(&self, inode: u64) -> Result<bool, AssembleError> {
        Ok(self.inode()? == inode || (inode == ANNOUNCED && self.written()? == 0))
    }

    /// Which file this is, whatever its name.
    pub fn inode(&self) -> Result<u64, AssembleError> {
        Ok(std::os::unix::fs::MetadataExt::ino(&self.file.metadata()?))
    }

    /// How far anything was written.
    pub fn written(&self) -> Result<u64, AssembleError> {
        Ok(self.file.metadata()?.len())
    }

    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), AssembleError> {
        Ok(self.file.read_exact_at(bytes, offset)?)
    }

    /// The partial file's name in the directory.
    pub fn part_name(&self) -> &SafeName {
        &self.part
    }

    /// Writes all bytes at an offset, in any order; gaps read as zeros.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), AssembleError> {
        Ok(self.file.write_all_at(bytes, offset)?)
    }

    /// Returns once all that was written is on the disk.
    pub fn sync(&self) -> Result<(), AssembleError> {
        Ok(self.file.sync_data()?)
    }

    /// Syncs the file and gives it its name; returns the name it got. After an error the partial file is still
    /// there.
    pub fn finish(&self, conflict: Conflict) -> Result<SafeName, AssembleError> {
        self.file.sync_all()?;
        self.check_in_place()?;
        let name = match self.rename_to(&self.name) {
            Ok(()) => self.name.clone(),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            Err(_) if conflict == Conflict::Skip => return Err(AssembleError::NameTaken(self.name.clone())),
            Err(_) if conflict == Conflict::Overwrite && self.may_replace() => {
                self.replace()?;
                self.name.clone()
            }
            Err(_) => first_free(&self.name, |name| self.rename_to(name))?.0,
        };
        // Whoever may write to the folder may have put something else in the partial file's place.
        self.must_be_at(&self.dir, &name)?;
        rustix::fs::fsync(syncable(&self.dir)?).map_err(io::Error::from)?;
        Ok(name)
    }

    fn rename_to(&self, name: &SafeName) -> io::Result<()> {
        rename_new((&self.dir, self.part.as_str()), (&self.dir, name.as_str()))
    }

    /// A file may be replaced, unless it is a partial one: that may be another download's.
    fn may_replace(&self) -> bool {
        let is_partial = self.name.folding_key().ends_with(PARTIAL);
        let is_file = self.dir.symlink_metadata(self.name.as_str()).is_ok_and(|there| there.is_file());
        is_file && !is_partial
    }

    /// In one step: until then the other file is whole. A link that is there by now is replaced itself.
    fn replace(&self) -> io::Result<()> {
        self.dir.rename(self.part.as_str(), &self.dir, self.name.as_str())
    }

    /// Whether it is still in this folder, under its name: the folder may be another one than it was made in.
    pub fn must_be_in(&self, dir: &Dir) -> Result<(), AssembleError> {
        self.must_be_at(dir, &self.part)
    }

    fn must_be_at(&self, dir: &Dir, name: &SafeName) -> Result<(), AssembleError> {
        let there = dir.symlink_metadata(name.as_str())?;
        let ours = cap_std::fs::Metadata::from_file(&self.file)?;
        if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
            Ok(())
        } else {
            Err(AssembleError::Gone(io::Error::other("another file is in the partial file's place")))
        }
    }

    /// Removes the partial file; it is no error if it is gone already.
    pub fn discard(&self) -> Result<(), AssembleError> {
        match self.check_in_place().and_then(|()| Ok(self.dir.remove_file(self.part.as_str())?)) {
            Err(AssembleError::Gone(_)) => Ok(()),
            removed => removed,
        }
    }

    /// Whether the partial file's name still leads to it: what somebody else put there is not ours.
    fn check_in_place(&self) -> Result<(), AssembleError> {
        self.must_be_in(&self.dir)
    }
}

/// Shortened where `.part` would make it too long.
pub(super) fn part_name(name: &SafeName) -> SafeName {
    SafeName::sanitise(&format!("{name}{PARTIAL}"))
}

#[cfg(test)]
mod tests;
