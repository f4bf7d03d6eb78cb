//! A folder that the files of another one are moved into, because it had the name.
//!
//! Each move is one rename, so whenever the process ends, every file is in one of the two folders. Those in this one
//! are known by what is in them, for their names may have been those of a person's files: what was moved need not be
//! fetched again.

use std::{
    collections::{BTreeSet, HashMap},
    io,
};

use cap_fs_ext::DirExt as _;
use cap_std::fs::{Dir, Metadata};
use protocol::{Conflict, SafeName};
use tokio_util::sync::CancellationToken;

use super::{
    contents::{ContainedFile, Place},
    look::is_right,
};
use crate::downloads::{
    assemble::{AssembleError, PARTIAL},
    placing::{first_free, rename_new, syncable},
};

/// How far a merge has come.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Files that have left the folder that they were written to.
    files: BTreeSet<usize>,
    /// Folders that got another name, for something else had theirs.
    named: HashMap<Vec<SafeName>, SafeName>,
}

impl Merged {
    pub(super) fn has_begun(&self) -> bool {
        !self.files.is_empty()
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.files.contains(&number)
    }
}

/// The folder that is merged into.
pub(super) struct Target<'a> {
    root: Dir,
    merged: &'a mut Merged,
    /// The folder that was entered last: files come in the order of their folders.
    last: Option<(Vec<SafeName>, Dir)>,
}

impl<'a> Target<'a> {
    /// What has the name, if it is a folder to be merged into, and not another download's on its way.
    pub(super) fn open(
        folder: &Dir,
        name: &SafeName,
        conflict: Conflict,
        merged: &'a mut Merged,
    ) -> Option<Self> {
        if conflict != Conflict::Overwrite || name.folding_key().ends_with(PARTIAL) {
            return None;
        }
        let root = folder.open_dir_nofollow(name.as_str()).ok()?;
        Some(Self { root, merged, last: None })
    }

    pub(super) fn merged(&self) -> &Merged {
        self.merged
    }

    /// Moves a file from its folder to its place here. A file in the way is replaced; anything else keeps its name.
    pub(super) fn take(&mut self, number: usize, from: &Dir, place: &Place) -> io::Result<()> {
        let (to, name) = (self.enter(&place.folders)?, &place.name);
        match to.symlink_metadata(name.as_str()) {
            Ok(there) if there.is_file() => from.rename(name.as_str(), to, name.as_str())?,
            _ => {
                first_free(name, |other| rename_new((from, name.as_str()), (to, other.as_str())))?;
            }
        }
        self.merged.files.insert(number);
        Ok(())
    }

    fn enter(&mut self, folders: &[SafeName]) -> io::Result<&Dir> {
        let entered = match self.last.take() {
            Some((last, dir)) if last == folders => dir,
            _ => self.open_or_make(folders)?,
        };
        Ok(&self.last.insert((folders.to_vec(), entered)).1)
    }

    fn open_or_make(&mut self, folders: &[SafeName]) -> io::Result<Dir> {
        let mut dir = self.root.try_clone()?;
        for depth in 1..=folders.len() {
            let path = &folders[..depth];
            let name = self.merged.named.get(path).unwrap_or(&path[depth - 1]).clone();
            dir = if let Ok(inner) = dir.open_dir_nofollow(name.as_str()) {
                inner
            } else {
                // Missing, or something else has its name.
                let (name, ()) = first_free(&name, |name| dir.create_dir(name.as_str()))?;
                let inner = dir.open_dir_nofollow(name.as_str())?;
                self.merged.named.insert(path.to_vec(), name);
                inner
            };
        }
        Ok(dir)
    }

    /// Whether an earlier process has moved this file here: then the others of its folder belong to it. Blocks, for as
    /// long as it takes to read what has its name.
    pub(super) fn has(
        &mut self,
        number: usize,
        file: &ContainedFile,
        token: &CancellationToken,
    ) -> Result<bool, AssembleError> {
        let Place { folders, name, .. } = &file.place;
        let mut dir = self.root.try_clone()?;
        let mut named = Vec::new();
        for depth in 1..=folders.len() {
            let path = &folders[..depth];
            let name = self.merged.named.get(path).unwrap_or(&path[depth - 1]);
            let Some(name) = name_taken(&dir, name, Metadata::is_dir) else { return Ok(false) };
            dir = dir.open_dir_nofollow(name.as_str())?;
            named.push((path, name));
        }
        let Some(name) = name_taken(&dir, name, Metadata::is_file) else { return Ok(false) };
        let is_right = is_right(&dir, &name, &file.id, token)?;
        if is_right {
            self.merged.files.insert(number);
            self.merged.named.extend(named.into_iter().map(|(path, name)| (path.to_vec(), name)));
        }
        Ok(is_right)
    }

    /// Returns once all that was moved is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(syncable(&self.root)?)?)
    }
}

/// The name under which something of this kind was put that was to get this one: where something else has it, the last
/// of the numbered ones that are taken.
fn name_taken(dir: &Dir, name: &SafeName, is_of_kind: impl Fn(&Metadata) -> bool) -> Option<SafeName> {
    let at = |name: &SafeName| dir.symlink_metadata(name.as_str()).ok();
    if is_of_kind(&at(name)?) {
        return Some(name.clone());
    }
    let taken = (2..).map(|number| name.numbered(number)).map_while(|name| Some((at(&name)?, name)));
    let (there, name) = taken.last()?;
    is_of_kind(&there).then_some(name)
}
