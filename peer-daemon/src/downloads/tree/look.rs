//! Takes up what an earlier process left of a folder: what is recorded counts, what is not is looked at again.

use std::sync::Arc;

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, OpenOptions};
use protocol::SafeName;

use super::{
    close::{Walk, inode},
    contents::{ContainedFile, Contents},
    disk::PartTree,
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

/// Blocks, for as long as it takes to read what has to be checked.
pub(super) fn look(
    folder: &Dir,
    name: &SafeName,
    contents: &Contents,
    remains: &Remains,
    boot_id: &str,
) -> Result<Found, AssembleError> {
    let is_same_boot = remains.boot_id == boot_id;
    let recorded = bits::unpack(&remains.verified_bits, contents.files().len());
    let counts = |number: usize| is_same_boot && recorded[number];
    match PartTree::open(folder, &remains.part, name) {
        Ok(tree) if tree.is_recorded_as(remains.inode)? => {
            let is_there = which_are_there(&tree.root, contents, counts)?;
            Ok(Found::Tree(Arc::new(tree), is_there))
        }
        // Another folder has taken the name, or it was renamed.
        _ => Ok(find_whole(folder, contents, remains, counts)?.map_or(Found::Nothing, Found::Whole)),
    }
}

/// The rename keeps the inode, so a whole folder is found under whatever name it got.
fn find_whole(
    folder: &Dir,
    contents: &Contents,
    remains: &Remains,
    counts: impl Fn(usize) -> bool,
) -> Result<Option<SafeName>, AssembleError> {
    for entry in folder.entries()? {
        let file_name = entry?.file_name();
        let Some(name) = file_name.to_str().and_then(|name| SafeName::parse(name).ok()) else { continue };
        let Ok(dir) = folder.open_dir_nofollow(name.as_str()) else { continue };
        if inode(&dir)? == remains.inode
            && which_are_there(&dir, contents, &counts)?.into_iter().all(|is_there| is_there)
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A file that `counts` need not be hashed.
fn which_are_there(
    root: &Dir,
    contents: &Contents,
    counts: impl Fn(usize) -> bool,
) -> Result<Vec<bool>, AssembleError> {
    let mut walk = Walk::default();
    let mut is_there = Vec::with_capacity(contents.files().len());
    for (number, file) in contents.files().iter().enumerate() {
        is_there.push(match walk.find(root, &file.place) {
            Some(dir) => is_right(dir, file, counts(number))?,
            None => false,
        });
    }
    Ok(is_there)
}

fn is_right(dir: &Dir, file: &ContainedFile, counts: bool) -> Result<bool, AssembleError> {
    let name = file.place.name.as_str();
    let there = dir.symlink_metadata(name);
    if there.is_ok_and(|there| there.is_file() && there.len() == file.id.size) {
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No);
        Ok(counts || hash(&dir.open_with(name, &options)?.into_std(), file.id.size)? == Some(file.id))
    } else {
        Ok(false)
    }
}
