//! Takes up what an earlier process left of a folder: what is recorded counts, what is not is looked at again.

use std::sync::Arc;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, OpenOptions};
use protocol::{Conflict, FileId, SafeName};
use tokio_util::sync::CancellationToken;

use super::{
    close::{Walk, inode},
    contents::Contents,
    disk::PartTree,
    merge::{Merged, Target},
};
use crate::downloads::{assemble::AssembleError, bits, revive::hash, store::Remains};

/// What was found on the disk.
pub(super) enum Found {
    /// The folder, and which files are in it.
    Tree(Arc<PartTree>, Vec<bool>),
    /// The process ended between the rename and its record: all is there, under this name.
    Whole(SafeName),
    /// Nothing that could be used.
    Nothing,
}

/// What is known of a folder that an earlier process left, or this one had to let go.
pub(super) struct Look<'a> {
    pub(super) name: &'a SafeName,
    pub(super) contents: &'a Contents,
    pub(super) remains: &'a Remains,
    /// Tells whether it may have been merged into a folder that was there.
    pub(super) conflict: Conflict,
    pub(super) boot_id: &'a str,
    /// Of who waits for it: whoever stops the download or the daemon does not.
    pub(super) token: &'a CancellationToken,
}

impl Look<'_> {
    /// Blocks, for as long as it takes to read what has to be checked.
    pub(super) fn at(&self, folder: &Dir) -> Result<Found, AssembleError> {
        let Self { name, contents, remains, conflict, .. } = self;
        let mut merged = Merged::default();
        let mut target = Target::open(folder, name, *conflict, &mut merged);
        match PartTree::open(folder, &remains.part, name) {
            Ok(tree) if tree.is_recorded_as(remains.inode)? => {
                let mut is_there = self.which_are_there(&tree.root)?;
                if let Some(target) = &mut target {
                    for ((number, file), is_there) in contents.files().iter().enumerate().zip(&mut is_there) {
                        *is_there = *is_there || target.has(number, file, self.token)?;
                    }
                }
                Ok(Found::Tree(Arc::new(tree.merged(merged)), is_there))
            }
            // Another folder has taken the name, or it was renamed or merged.
            _ => {
                if let Some(name) = self.find_renamed(folder)? {
                    return Ok(Found::Whole(name));
                }
                let Some(target) = &mut target else { return Ok(Found::Nothing) };
                for (number, file) in contents.files().iter().enumerate() {
                    if !target.has(number, file, self.token)? {
                        return Ok(Found::Nothing);
                    }
                }
                Ok(Found::Whole((*name).clone()))
            }
        }
    }

    /// The rename keeps the inode, so a whole folder is found under whatever name it got.
    fn find_renamed(&self, folder: &Dir) -> Result<Option<SafeName>, AssembleError> {
        for entry in folder.entries()? {
            let file_name = entry?.file_name();
            let Some(name) = file_name.to_str().and_then(|name| SafeName::parse(name).ok()) else { continue };
            let Ok(dir) = folder.open_dir_nofollow(name.as_str()) else { continue };
            if inode(&dir)? == self.remains.inode
                && self.which_are_there(&dir)?.into_iter().all(|is_there| is_there)
            {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// A file that was recorded in this boot need not be read.
    fn which_are_there(&self, root: &Dir) -> Result<Vec<bool>, AssembleError> {
        let files = self.contents.files();
        let recorded = bits::unpack(&self.remains.verified_bits, files.len());
        let is_same_boot = self.remains.boot_id == self.boot_id;
        let mut walk = Walk::default();
        let mut is_there = Vec::with_capacity(files.len());
        for (file, is_recorded) in files.iter().zip(recorded) {
            let name = &file.place.name;
            is_there.push(match walk.find(root, &file.place) {
                Some(dir) if is_recorded && is_same_boot => has_size(dir, name, file.id.size),
                Some(dir) => is_right(dir, name, &file.id, self.token)?,
                None => false,
            });
        }
        Ok(is_there)
    }
}

fn has_size(dir: &Dir, name: &SafeName, size: u64) -> bool {
    dir.symlink_metadata(name.as_str()).is_ok_and(|there| there.is_file() && there.len() == size)
}

/// Whether this is the file that has the name.
pub(super) fn is_right(
    dir: &Dir,
    name: &SafeName,
    file: &FileId,
    token: &CancellationToken,
) -> Result<bool, AssembleError> {
    if !has_size(dir, name, file.size) {
        return Ok(false);
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    Ok(hash(&dir.open_with(name.as_str(), &options)?.into_std(), file.size, token)? == Some(*file))
}
