//! Opens files inside a share and nowhere else.
//!
//! A share is a folder that its owner chose; what happens inside may be another user's or program's doing. So
//! a path is followed one component at a time, to the share and from there on, no symbolic link is followed, not
//! even one that stays inside, and only a regular file is opened. A link swapped in at any moment, for the
//! file or for any folder above it, is refused by the system call itself.

use std::{
    cmp::Ordering,
    fs::File,
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::{
    ambient_authority,
    fs::{Dir, OpenOptions},
};
use rustix::io::Errno;
use thiserror::Error;

use super::hasher::Stamp;

/// Where a file is: in which share, and under which path in it. Ordered by bytes, not by components as paths
/// are: large libraries are sorted by it.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub(super) share: Arc<Path>,
    pub(super) path: PathBuf,
}

impl Location {
    /// As that of a folder: with a separator at its end, as the paths of all that is in it begin. That of a share itself
    /// is empty.
    pub(super) fn as_folder(&self) -> Self {
        let path = if self.path.as_os_str().is_empty() { PathBuf::new() } else { self.path.join("") };
        Self { share: Arc::clone(&self.share), path }
    }

    /// The [folder](Self::as_folder) that it is in.
    pub(super) fn parent(&self) -> Self {
        let path = self.path.parent().unwrap_or(Path::new("")).to_owned();
        Self { share: Arc::clone(&self.share), path }.as_folder()
    }

    /// Whether it is this [folder](Self::as_folder), or in it.
    pub(super) fn is_below(&self, folder: &Self) -> bool {
        let path = self.path.as_os_str().as_encoded_bytes();
        self.share == folder.share && path.starts_with(folder.path.as_os_str().as_encoded_bytes())
    }
}

impl Ord for Location {
    fn cmp(&self, other: &Self) -> Ordering {
        // Locations of one share have the same pointer.
        let shares = if Arc::ptr_eq(&self.share, &other.share) {
            Ordering::Equal
        } else {
            self.share.as_os_str().cmp(other.share.as_os_str())
        };
        shares.then_with(|| self.path.as_os_str().cmp(other.path.as_os_str()))
    }
}

impl PartialOrd for Location {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Location {}

#[derive(Debug, Error)]
pub(super) enum GuardError {
    #[error("there is nothing at the path")]
    Gone,
    /// A link, a folder or a device is there, or a link on the way.
    #[error("there is no regular file at the path")]
    NotRegular,
    #[error("the path can't be opened")]
    Io(#[source] io::Error),
}

impl From<io::Error> for GuardError {
    fn from(error: io::Error) -> Self {
        // What the kernel says to a link that must not be followed.
        let is_link = Errno::from_io_error(&error) == Some(Errno::LOOP);
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => Self::NotRegular,
            _ if is_link => Self::NotRegular,
            _ => Self::Io(error),
        }
    }
}

/// The share's directory. It is opened for each use: a handle that is kept would keep its disk from being
/// unmounted, and would miss a folder put back in its place.
///
/// Its path had no links in it when it was shared. One that is on the way now may be another user's doing, who may write
/// to a folder above, and lead to whatever the owner can read: it is not followed either.
pub(super) fn open_share(share: &Path) -> io::Result<Dir> {
    let names = share.strip_prefix("/").map_err(io::Error::other)?.components();
    let top = Dir::open_ambient_dir("/", ambient_authority())?;
    names.into_iter().try_fold(top, |dir, component| match component {
        Component::Normal(name) => dir.open_dir_nofollow(name),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    })
}

/// Opens the regular file at a location, for reading.
pub(super) fn open(location: &Location) -> Result<(File, Stamp), GuardError> {
    let mut dir = open_share(&location.share)?;
    let mut components = location.path.components().peekable();
    while let Some(component) = components.next() {
        // The path came from a directory listing; anything but names is a bug, and still leads nowhere.
        let Component::Normal(name) = component else { return Err(GuardError::NotRegular) };
        if components.peek().is_none() {
            return open_file(&dir, Path::new(name));
        }
        dir = dir.open_dir_nofollow(name)?;
    }
    Err(GuardError::NotRegular)
}

fn open_file(dir: &Dir, name: &Path) -> Result<(File, Stamp), GuardError> {
    let mut options = OpenOptions::new();
    // Without `nonblock`, a pipe swapped in would hold this thread until somebody writes to it.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = dir.open_with(name, &options)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file.into_std(), Stamp::new(&metadata)))
    } else {
        Err(GuardError::NotRegular)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::symlink, path::Path};

    use super::{GuardError, Location, open};

    fn location(share: &Path, path: &str) -> Location {
        Location { share: share.into(), path: path.into() }
    }

    #[test]
    fn a_link_in_the_place_of_a_share_or_of_a_folder_above_it_opens_nothing() {
        let home = tempfile::tempdir().unwrap();
        let share = home.path().join("public/share");
        for folder in ["public/share", "private/share"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
            fs::write(home.path().join(folder).join("file"), folder).unwrap();
        }
        assert!(open(&location(&share, "file")).is_ok());
        for (place, target) in [("public/share", "../private/share"), ("public", "private")] {
            let place = home.path().join(place);
            fs::rename(&place, home.path().join("aside")).unwrap();
            symlink(target, &place).unwrap();
            assert_eq!(fs::read_to_string(share.join("file")).unwrap(), "private/share");
            let opened = open(&location(&share, "file")).map(drop);
            assert!(matches!(opened, Err(GuardError::NotRegular)), "{opened:?}");
            fs::remove_file(&place).unwrap();
            fs::rename(home.path().join("aside"), &place).unwrap();
        }
    }

    #[test]
    fn a_file_opens_and_what_is_not_a_file_in_the_share_does_not() {
        let parent = tempfile::tempdir().unwrap();
        let share = parent.path().join("share");
        fs::create_dir_all(share.join("folder/deep")).unwrap();
        fs::write(parent.path().join("secret"), "secret").unwrap();
        fs::write(share.join("folder/deep/file"), "content").unwrap();
        symlink("deep", share.join("folder/inside")).unwrap();
        symlink("deep/file", share.join("folder/link")).unwrap();
        symlink("../secret", share.join("outside")).unwrap();
        symlink(parent.path(), share.join("above")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            share.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();

        let (mut file, stamp) = open(&location(&share, "folder/deep/file")).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), stamp.size), ("content", 7));

        for gone in ["nothing", "folder/nothing/file"] {
            assert!(matches!(open(&location(&share, gone)), Err(GuardError::Gone)), "{gone}");
        }
        let refused = [
            "folder/inside/file",
            "folder/link",
            "outside",
            "above/secret",
            "above/share/folder/deep/file",
            "../secret",
            "/etc/passwd",
            "",
            ".",
            "folder",
            "pipe",
            "folder/deep/file/more",
        ];
        for path in refused {
            let opened = open(&location(&share, path)).map(drop);
            assert!(matches!(opened, Err(GuardError::NotRegular)), "{path}: {opened:?}");
        }
    }
}
