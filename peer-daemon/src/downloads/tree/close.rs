//! The end of a folder that is on its way: it gets its name, or what was written of it is removed.

use std::{collections::HashMap, io};

use cap_fs_ext::DirExt as _;
use cap_std::fs::{Dir, MetadataExt as _};
use protocol::{Conflict, SafeName};

use super::{
    contents::{Contents, Place},
    disk::{PartTree, find},
};
use crate::downloads::{
    assemble::{AssembleError, PARTIAL, PartFile},
    placing::{first_free, rename_new, rename_new_folder, syncable},
    store::Remains,
};

impl PartTree {
    /// Gives the folder its name, when all that is in it was synced; returns the name it got. After an error it is
    /// still there, or what was not moved yet.
    pub(super) fn finish(&self, contents: &Contents, conflict: Conflict) -> Result<SafeName, AssembleError> {
        self.change(|_| {
            self.must_be_in(&self.folder)?;
            self.must_be_whole(contents)?;
            self.remove_incoming();
            let name = match self.rename_to(&self.name) {
                Ok(()) => self.name.clone(),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                Err(_) if conflict == Conflict::Skip => {
                    return Err(AssembleError::NameTaken(self.name.clone()));
                }
                Err(_) => match self.folder_to_merge_into(conflict) {
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
    fn must_be_whole(&self, contents: &Contents) -> Result<(), AssembleError> {
        let mut walk = Walk::default();
        for file in contents.files() {
            let dir = walk.find(&self.root, &file.place);
            let there = dir.and_then(|dir| dir.symlink_metadata(file.place.name.as_str()).ok());
            if there.is_none_or(|there| !there.is_file() || there.len() != file.id.size) {
                return Err(AssembleError::Gone(io::Error::other("a file is not in the partial folder")));
            }
        }
        Ok(())
    }

    /// One that is there under the name, unless it is another download's on its way.
    fn folder_to_merge_into(&self, conflict: Conflict) -> Option<Dir> {
        let may_merge = conflict == Conflict::Overwrite && !self.name.folding_key().ends_with(PARTIAL);
        may_merge.then(|| self.folder.open_dir_nofollow(self.name.as_str()).ok()).flatten()
    }

    /// Moves each file to its place in a folder that is there; files of the same path are replaced.
    fn merge(&self, contents: &Contents, target: Dir) -> Result<SafeName, AssembleError> {
        let (mut from, mut into) = (Walk::default(), Target { root: target, named: HashMap::new() });
        let mut last: Option<(&[SafeName], Dir)> = None;
        for file in contents.files() {
            let place = &file.place;
            let source =
                from.find(&self.root, place).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            let dir = match last.take() {
                Some((folders, dir)) if folders == place.folders => dir,
                _ => into.enter(&place.folders)?,
            };
            replace_or_number(source, &dir, &place.name)?;
            last = Some((&place.folders, dir));
        }
        rustix::fs::syncfs(syncable(&into.root)?).map_err(io::Error::from)?;
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

/// The folder that is merged into.
struct Target {
    root: Dir,
    /// Folders that got another name, for something else had theirs.
    named: HashMap<Vec<SafeName>, SafeName>,
}

impl Target {
    fn enter(&mut self, folders: &[SafeName]) -> io::Result<Dir> {
        let mut dir = self.root.try_clone()?;
        for depth in 1..=folders.len() {
            let path = &folders[..depth];
            let name = self.named.get(path).unwrap_or(&path[depth - 1]).clone();
            dir = if let Ok(inner) = dir.open_dir_nofollow(name.as_str()) {
                inner
            } else {
                // Missing, or something else has its name.
                let (name, ()) = first_free(&name, |name| dir.create_dir(name.as_str()))?;
                let inner = dir.open_dir_nofollow(name.as_str())?;
                self.named.insert(path.to_vec(), name);
                inner
            };
        }
        Ok(dir)
    }
}

/// A file in the way is replaced; anything else keeps its name.
fn replace_or_number(from: &Dir, to: &Dir, name: &SafeName) -> io::Result<()> {
    let source = (from, name.as_str());
    match to.symlink_metadata(name.as_str()) {
        Ok(there) if there.is_file() => from.rename(name.as_str(), to, name.as_str()),
        _ => first_free(name, |name| rename_new(source, (to, name.as_str()))).map(drop),
    }
}

/// Which folder this is.
pub(super) fn inode(dir: &Dir) -> io::Result<u64> {
    Ok(dir.dir_metadata()?.ino())
}
