//! Names are taken in the download folder without taking them from anything that has them.

use std::{fs::File, io};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, OpenOptions};
use protocol::SafeName;
use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, RenameFlags},
    io::Errno,
};

/// So many names may be taken before it counts as an error.
const NAMES_TRIED_MAX: u32 = 1_000;

/// A name in a folder.
pub(super) type At<'a> = (&'a Dir, &'a str);

/// Tries the name, then `name (2)` and so on, until one is not taken.
pub(super) fn first_free<T>(
    name: &SafeName,
    mut attempt: impl FnMut(&SafeName) -> io::Result<T>,
) -> io::Result<(SafeName, T)> {
    let numbered = (2..=NAMES_TRIED_MAX).map(|number| name.numbered(number));
    for name in std::iter::once(name.clone()).chain(numbered) {
        match attempt(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return Ok((name, done?)),
        }
    }
    Err(io::Error::other("a thousand files of that name are there"))
}

pub(super) fn create_new(dir: &Dir, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // `create_new` does not follow a link at the name either: the name counts as taken.
    options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
    Ok(dir.open_with(name, &options)?.into_std())
}

/// Gives a file another name that nothing has.
pub(super) fn rename_new(from: At<'_>, to: At<'_>) -> io::Result<()> {
    rename(from, to, false)
}

/// The same for a folder.
pub(super) fn rename_new_folder(from: At<'_>, to: At<'_>) -> io::Result<()> {
    rename(from, to, true)
}

fn rename(from: At<'_>, to: At<'_>, is_folder: bool) -> io::Result<()> {
    match rustix::fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
        // Some file systems have no such rename (network and FUSE ones).
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_over_placeholder(from, to, is_folder),
        renamed => Ok(renamed?),
    }
}

/// Takes the name with something empty of our own and renames over that.
pub(super) fn rename_over_placeholder(from: At<'_>, to: At<'_>, is_folder: bool) -> io::Result<()> {
    if is_folder {
        to.0.create_dir(to.1)?;
    } else {
        create_new(to.0, to.1)?;
    }
    from.0.rename(from.1, to.0, to.1)
}

/// The folder itself, to be synced: the handle that it is reached through is for paths only.
pub(super) fn syncable(dir: &Dir) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, ".", flags, Mode::empty())?)
}
