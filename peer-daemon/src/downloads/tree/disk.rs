//! A folder on its way to the disk: `NAME.part`, with the files in it that are there.
//!
//! All goes by handles of folders, one name at a time, and no link is followed. What has a name that a file is to
//! get, and was not written by this download, is a person's: it is given another name, and stays.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
};

use cap_fs_ext::DirExt as _;
use cap_std::fs::{Dir, MetadataExt as _};
use hyper::body::Bytes;
use protocol::SafeName;

use super::{contents::Place, merge::Merged};
use crate::downloads::{
    assemble::{ANNOUNCED, AssembleError, part_name},
    placing::{At, create_new, first_free, rename_new, rename_new_folder, syncable},
};

/// A small file until it is whole. No file of a listing has such a name: none is hidden.
const INCOMING: &str = ".incoming";
/// Somebody may put something in the way again and again; not for ever.
const CLEARINGS_MAX: usize = 3;

/// The folder of a download that is not whole. All methods block.
#[derive(Debug)]
pub(crate) struct PartTree {
    /// The download folder.
    pub(super) folder: Dir,
    pub(super) root: Dir,
    pub(super) part: SafeName,
    /// The name that the whole folder is to get.
    pub(super) name: SafeName,
    gate: Mutex<Gate>,
}

/// Held for each change in the tree, so that nothing is written to one that is given its name or removed.
#[derive(Debug, Default)]
pub(super) struct Gate {
    is_closed: bool,
    /// The folder that was written to last: files come in the order of their folders.
    last: Option<(Vec<SafeName>, Arc<Dir>)>,
    pub(super) merged: Merged,
}

impl PartTree {
    /// Creates `NAME.part`, numbered if that is taken; what is about to be created is announced first, so that it
    /// is found again if the process ends right after that.
    pub(super) fn create_announced<E: From<AssembleError>>(
        folder: &Dir,
        name: &SafeName,
        mut announce: impl FnMut(&SafeName) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut refused = None;
        let created = first_free(&part_name(name), |part| {
            announce(part).map_err(|error| {
                refused = Some(error);
                io::Error::other("it was not announced")
            })?;
            folder.create_dir(part.as_str())
        });
        let (part, ()) =
            created.map_err(|error| refused.unwrap_or_else(|| AssembleError::from(error).into()))?;
        Ok(Self::open(folder, &part, name)?)
    }

    /// Opens what an earlier process left.
    pub(super) fn open(folder: &Dir, part: &SafeName, name: &SafeName) -> Result<Self, AssembleError> {
        let root = folder.open_dir_nofollow(part.as_str())?;
        let folder = folder.try_clone()?;
        Ok(Self { folder, root, part: part.clone(), name: name.clone(), gate: Mutex::default() })
    }

    /// The same of one whose merge had begun.
    pub(super) fn merged(self, merged: Merged) -> Self {
        Self { gate: Mutex::new(Gate { merged, ..Gate::default() }), ..self }
    }

    pub(super) fn part_name(&self) -> &SafeName {
        &self.part
    }

    /// Which folder this is, whatever its name.
    pub(super) fn inode(&self) -> Result<u64, AssembleError> {
        Ok(self.root.dir_metadata()?.ino())
    }

    /// Whether this is the folder that was recorded under its name: the very one, or one that was announced and is
    /// still empty.
    pub(super) fn is_recorded_as(&self, inode: u64) -> Result<bool, AssembleError> {
        Ok(self.inode()? == inode || (inode == ANNOUNCED && self.root.entries()?.next().is_none()))
    }

    /// Whether it is still in this folder, under its name.
    pub(super) fn must_be_in(&self, folder: &Dir) -> Result<(), AssembleError> {
        self.must_be_at(folder, &self.part)
    }

    pub(super) fn must_be_at(&self, folder: &Dir, name: &SafeName) -> Result<(), AssembleError> {
        let there = folder.symlink_metadata(name.as_str())?;
        let ours = self.root.dir_metadata()?;
        if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
            Ok(())
        } else {
            Err(AssembleError::Gone(io::Error::other("another folder is in the partial folder's place")))
        }
    }

    /// Changes something in the tree, unless it is closed.
    pub(super) fn change<T, E: From<AssembleError>>(
        &self,
        change: impl FnOnce(&mut Gate) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if gate.is_closed {
            return Err(AssembleError::Gone(io::Error::other("the download was stopped")).into());
        }
        change(&mut gate)
    }

    /// Nothing is changed in it from now on.
    pub(super) fn close(&self) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        (gate.is_closed, gate.last) = (true, None);
    }

    /// The folder that a file is in, made where it is missing.
    pub(super) fn enter(&self, gate: &mut Gate, place: &Place) -> io::Result<Arc<Dir>> {
        if let Some((folders, dir)) = &gate.last
            && *folders == place.folders
        {
            return Ok(Arc::clone(dir));
        }
        let root = self.root.try_clone()?;
        let dir = place.folders.iter().try_fold(root, |outer, name| open_or_make(&outer, name))?;
        let dir = Arc::new(dir);
        gate.last = Some((place.folders.clone(), Arc::clone(&dir)));
        Ok(dir)
    }

    /// Writes a whole file, of which `then` is told before anything else is changed.
    pub(super) fn put(
        &self,
        place: &Place,
        content: &[Bytes],
        then: impl FnOnce(),
    ) -> Result<(), AssembleError> {
        self.change(|gate| {
            let dir = self.enter(gate, place)?;
            let written = self.write_incoming(content).and_then(|()| {
                clear_the_way(&dir, &place.name, || {
                    rename_new((&self.root, INCOMING), (&dir, place.name.as_str()))
                })
            });
            if written.is_err() {
                self.remove_incoming();
            }
            written?;
            then();
            Ok(())
        })
    }

    fn write_incoming(&self, content: &[Bytes]) -> io::Result<()> {
        let mut file = match create_new(&self.root, INCOMING) {
            // An earlier process ended in the middle of writing it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.root.remove_file_or_symlink(INCOMING)?;
                create_new(&self.root, INCOMING)?
            }
            created => created?,
        };
        content.iter().try_for_each(|bytes| file.write_all(bytes))
    }

    pub(super) fn remove_incoming(&self) {
        // It is there only if an earlier process, or a write, ended early.
        let _not_there = self.root.remove_file_or_symlink(INCOMING);
    }

    /// Removes it if nothing is in it.
    pub(super) fn discard_empty(&self) -> Result<(), AssembleError> {
        self.close();
        match self.must_be_in(&self.folder) {
            Ok(()) => {
                let _there_is_something_in_it = self.folder.remove_dir(self.part.as_str());
                Ok(())
            }
            Err(AssembleError::Gone(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns once all that was written below the folder is on the disk.
    pub(super) fn sync(&self) -> Result<(), AssembleError> {
        Ok(rustix::fs::syncfs(syncable(&self.root)?).map_err(io::Error::from)?)
    }
}

/// The folder that files with these folders are in, if it is there; links lead nowhere.
pub(super) fn find(root: &Dir, folders: &[SafeName]) -> Option<Dir> {
    let root = root.try_clone().ok()?;
    folders.iter().try_fold(root, |outer, name| outer.open_dir_nofollow(name.as_str()).ok())
}

fn open_or_make(outer: &Dir, name: &SafeName) -> io::Result<Dir> {
    match outer.open_dir_nofollow(name.as_str()) {
        Ok(dir) => Ok(dir),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Missing, or something else has its name.
        Err(_) => {
            clear_the_way(outer, name, || outer.create_dir(name.as_str()))?;
            outer.open_dir_nofollow(name.as_str())
        }
    }
}

/// Takes a name for what was fetched. What has it is given another one; a file without content is none worth
/// keeping (after a power cut, one that was not synced may be such a file).
pub(super) fn clear_the_way(
    dir: &Dir,
    name: &SafeName,
    mut take: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    for _ in 0..CLEARINGS_MAX {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => set_aside(dir, name)?,
            taken => return taken,
        }
    }
    take()
}

/// Gives what has a name another one.
pub(super) fn set_aside(dir: &Dir, name: &SafeName) -> io::Result<()> {
    let there = dir.symlink_metadata(name.as_str())?;
    if there.is_file() && there.len() == 0 {
        return dir.remove_file(name.as_str());
    }
    let from: At<'_> = (dir, name.as_str());
    let rename = if there.is_dir() { rename_new_folder } else { rename_new };
    first_free(name, |other| rename(from, (dir, other.as_str()))).map(drop)
}
