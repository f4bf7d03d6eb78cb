//! The end of a folder that is on its way: it gets its name, or what was written of it is removed.

use std::io;

use cap_std::fs::{Dir, MetadataExt as _};
use protocol::{Conflict, SafeName};

use super::{
    contents::{Contents, Place},
    disk::{PartTree, find},
    merge::{Merged, Target},
};
use crate::downloads::{
    assemble::{AssembleError, PartFile},
    placing::{first_free, rename_new_folder, syncable},
    store::Remains,
};

impl PartTree {
    /// Gives the folder its name, when all that is in it was synced; returns the name it got. After an error it is
    /// still there, or what was not moved yet.
    pub(super) fn finish(&self, contents: &Contents, conflict: Conflict) -> Result<SafeName, AssembleError> {
        self.change(|gate| {
            self.must_be_in(&self.folder)?;
            self.must_be_whole(contents, &gate.merged)?;
            self.remove_incoming();
            let has_begun = gate.merged.has_begun();
            let target = Target::open(&self.folder, &self.name, conflict, &mut gate.merged);
            if has_begun {
                // The rest belongs to what was moved.
                return self.merge(contents, target.ok_or(io::Error::from(io::ErrorKind::NotFound))?);
            }
            let name = match self.rename_to(&self.name) {
                Ok(()) => self.name.clone(),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                Err(_) if conflict == Conflict::Skip => {
                    return Err(AssembleError::NameTaken(self.name.clone()));
                }
                Err(_) => match target {
                    Some(target) => return self.merge(contents, target),
                    None => first_free(&self.name, |name| self.rename_to(name))?.0,
                },
            };
            // Whoever may write to the folder may have put something else in its place.
            self.must_be_at(&self.folder, &name)?;
            rustix::fs::fsync(syncable(&self.folder)?).map_err(io::Error::from)?;
            Ok(name)
        })
    }

    fn rename_to(&self, name: &SafeName) -> io::Result<()> {
        rename_new_folder((&self.folder, self.part.as_str()), (&self.folder, name.as_str()))
    }

    /// A person may have taken something out of it.
    fn must_be_whole(&self, contents: &Contents, merged: &Merged) -> Result<(), AssembleError> {
        let mut walk = Walk::default();
        let files = contents.files().iter().enumerate();
        for (_, file) in files.filter(|(number, _)| !merged.has(*number)) {
            let dir = walk.find(&self.root, &file.place);
            let there = dir.and_then(|dir| dir.symlink_metadata(file.place.name.as_str()).ok());
            if there.is_none_or(|there| !there.is_file() || there.len() != file.id.size) {
                return Err(AssembleError::Gone(io::Error::other("a file is not in the partial folder")));
            }
        }
        Ok(())
    }

    /// Moves each file that was not moved yet to its place in a folder that is there.
    fn merge(&self, contents: &Contents, mut target: Target<'_>) -> Result<SafeName, AssembleError> {
        let mut walk = Walk::default();
        for (number, file) in contents.files().iter().enumerate() {
            if !target.merged().has(number) {
                let from = walk.find(&self.root, &file.place);
                let from = from.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
                target.take(number, from, &file.place)?;
            }
        }
        target.sync()?;
        self.remove_folders(contents);
        Ok(self.name.clone())
    }

    /// Removes what was written; `is_there` tells which files were, `parts` has the files on their way by number.
    /// Whatever else is in it stays, and so do the folders that it is in.
    pub(super) fn discard(
        &self,
        contents: &Contents,
        is_there: &[bool],
        parts: &[(usize, Remains)],
    ) -> Result<(), AssembleError> {
        self.close();
        if self.must_be_in(&self.folder).is_err() {
            return Ok(());
        }
        self.remove_incoming();
        let mut walk = Walk::default();
        let there = contents.files().iter().zip(is_there).filter(|(_, is_there)| **is_there);
        for (file, _) in there {
            let Some(dir) = walk.find(&self.root, &file.place) else { continue };
            let name = file.place.name.as_str();
            if dir.symlink_metadata(name).is_ok_and(|there| there.is_file()) {
                dir.remove_file(name)?;
            }
        }
        for (number, remains) in parts {
            let file = contents.files().get(*number);
            let Some(dir) = file.and_then(|file| walk.find(&self.root, &file.place)) else { continue };
            // Gone, or somebody else's by now.
            let Ok(part) = PartFile::open(dir, &remains.part, &remains.part) else { continue };
            if part.is_recorded_as(remains.inode)? {
                part.discard()?;
            }
        }
        self.remove_folders(contents);
        Ok(())
    }

    /// Removes the folders of the listing that are empty, from the innermost, and then the folder itself.
    fn remove_folders(&self, contents: &Contents) {
        for folders in contents.folders().into_iter().rev() {
            let Some((name, outer)) = folders.split_last() else { continue };
            if let Some(outer) = find(&self.root, outer) {
                let _there_is_something_in_it = outer.remove_dir(name.as_str());
            }
        }
        let _there_is_something_in_it = self.folder.remove_dir(self.part.as_str());
    }
}

/// Finds the folders of files one after the other; most are in that of the file before.
#[derive(Default)]
pub(super) struct Walk {
    last: Option<(Vec<SafeName>, Option<Dir>)>,
}

impl Walk {
    pub(super) fn find(&mut self, root: &Dir, place: &Place) -> Option<&Dir> {
        if self.last.as_ref().is_none_or(|(folders, _)| *folders != place.folders) {
            self.last = Some((place.folders.clone(), find(root, &place.folders)));
        }
        self.last.as_ref().and_then(|(_, dir)| dir.as_ref())
    }
}

/// Which folder this is.
pub(super) fn inode(dir: &Dir) -> io::Result<u64> {
    Ok(dir.dir_metadata()?.ino())
}
