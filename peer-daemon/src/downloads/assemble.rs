//! A file on its way to the disk: written as `NAME.part`, given its name when it is whole.
//!
//! ```text
//! create ─▶ NAME.part ── write_at, sync ──▶ finish: fsync ─▶ rename, never over another file ─▶ fsync of the folder
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
use protocol::SafeName;
use rustix::{
    fs::{Mode, OFlags, RenameFlags},
    io::Errno,
};
use thiserror::Error;

/// So many names may be taken before it counts as an error.
const NAMES_TRIED_MAX: u32 = 1_000;

/// Why the disk did not take it, by what helps against it.
#[derive(Debug, Error)]
pub enum AssembleError {
    #[error("there is no space left on the disk")]
    NoSpace(#[source] io::Error),
    #[error("the download directory can't be written to")]
    Permission(#[source] io::Error),
    #[error("the partial file was removed, or another file is in its place")]
    Gone(#[source] io::Error),
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
        let dir = dir.try_clone()?;
        let (part, file) = first_free(&part_name(name), |part| create_new(&dir, part))?;
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

    /// Syncs the file and gives it its name, numbered if that is taken; returns the name it got. After an
    /// error the partial file is still there.
    pub fn finish(&self) -> Result<SafeName, AssembleError> {
        self.file.sync_all()?;
        self.check_in_place()?;
        let (name, ()) = first_free(&self.name, |name| rename_new(&self.dir, &self.part, name))?;
        // The handle of the directory is for paths only and can't be synced.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, ".", flags, Mode::empty()).map_err(io::Error::from)?;
        rustix::fs::fsync(dir).map_err(io::Error::from)?;
        Ok(name)
    }

    /// Whether it is still in this folder, under its name: the folder may be another one than it was made in.
    pub fn must_be_in(&self, dir: &Dir) -> Result<(), AssembleError> {
        let there = dir.symlink_metadata(self.part.as_str())?;
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
fn part_name(name: &SafeName) -> SafeName {
    SafeName::sanitise(&format!("{name}.part"))
}

/// Tries the name, then `name (2)` and so on, until one is not taken.
fn first_free<T>(
    name: &SafeName,
    mut attempt: impl FnMut(&SafeName) -> io::Result<T>,
) -> Result<(SafeName, T), AssembleError> {
    let numbered = (2..=NAMES_TRIED_MAX).map(|number| name.numbered(number));
    for name in std::iter::once(name.clone()).chain(numbered) {
        match attempt(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return Ok((name, done?)),
        }
    }
    Err(AssembleError::Other(io::Error::other("a thousand files of that name are there")))
}

fn create_new(dir: &Dir, name: &SafeName) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // `create_new` does not follow a link at the name either: the name counts as taken.
    options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
    Ok(dir.open_with(name.as_str(), &options)?.into_std())
}

fn rename_new(dir: &Dir, from: &SafeName, to: &SafeName) -> io::Result<()> {
    match rustix::fs::renameat_with(dir, from.as_str(), dir, to.as_str(), RenameFlags::NOREPLACE) {
        // Some file systems have no such rename (network and FUSE ones).
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_over_placeholder(dir, from, to),
        renamed => Ok(renamed?),
    }
}

/// Takes the name with an empty file of our own and renames over that one.
fn rename_over_placeholder(dir: &Dir, from: &SafeName, to: &SafeName) -> io::Result<()> {
    create_new(dir, to)?;
    dir.rename(from.as_str(), dir, to.as_str())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
        process::Command,
    };

    use cap_std::{ambient_authority, fs::Dir};
    use protocol::SafeName;

    use super::{AssembleError, PartFile, create_new, rename_over_placeholder};

    fn open(path: &Path) -> Dir {
        Dir::open_ambient_dir(path, ambient_authority()).unwrap()
    }

    fn name(text: &str) -> SafeName {
        SafeName::parse(text).unwrap()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn pieces_in_any_order_become_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::create(&open(folder.path()), &name("film.mkv")).unwrap();
        part.write_at(6, b"world").unwrap();
        part.sync().unwrap();
        part.write_at(0, b"hello ").unwrap();
        assert_eq!(names(folder.path()), ["film.mkv.part"]);
        assert_eq!(part.finish().unwrap(), name("film.mkv"));
        assert_eq!(names(folder.path()), ["film.mkv"]);
        assert_eq!(fs::read(folder.path().join("film.mkv")).unwrap(), b"hello world");
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::create(&open(folder.path()), &name("empty")).unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read(folder.path().join("empty")).unwrap(), b"");
    }

    #[test]
    fn two_files_of_one_name_and_whatever_else_has_it_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        let parts: Vec<_> = (0..3).map(|_| PartFile::create(&dir, &name("a.txt")).unwrap()).collect();
        assert_eq!(names(folder.path()), ["a.txt (2).part", "a.txt (3).part", "a.txt.part"]);
        fs::write(folder.path().join("a.txt"), "the user's own").unwrap();
        fs::create_dir(folder.path().join("a (2).txt")).unwrap();
        symlink("nowhere", folder.path().join("a (3).txt")).unwrap();
        for (number, part) in (4..).zip(parts) {
            part.write_at(0, &[number]).unwrap();
            assert_eq!(part.finish().unwrap(), name(&format!("a ({number}).txt")));
        }
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"the user's own");
        for number in 4..7 {
            assert_eq!(fs::read(folder.path().join(format!("a ({number}).txt"))).unwrap(), [number]);
        }
        assert_eq!(names(folder.path()).len(), 6);
    }

    #[test]
    fn a_planted_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let victim = tempfile::NamedTempFile::new().unwrap();
        symlink(victim.path(), folder.path().join("a.part")).unwrap();
        let part = PartFile::create(&open(folder.path()), &name("a")).unwrap();
        part.write_at(0, b"content").unwrap();
        assert_eq!(part.part_name(), &name("a (2).part"));
        assert_eq!(part.finish().unwrap(), name("a"));
        assert_eq!(fs::read(victim.path()).unwrap(), b"");
    }

    #[test]
    fn the_longest_name_fits() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        let longest = name(&format!("{}.flac", "ü".repeat(125)));
        let parts = [(); 2].map(|()| PartFile::create(&dir, &longest).unwrap());
        let [first, second] = parts.map(|part| part.finish().unwrap());
        assert_eq!(first, longest);
        assert!(second.as_str().ends_with(" (2).flac"), "{second}");
    }

    #[test]
    fn without_the_careful_rename_nothing_is_overwritten_either() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        let part = PartFile::create(&dir, &name("a")).unwrap();
        fs::write(folder.path().join("a"), "kept").unwrap();
        let error = rename_over_placeholder(&dir, &part.part, &name("a")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        rename_over_placeholder(&dir, &part.part, &name("b")).unwrap();
        assert_eq!(names(folder.path()), ["a", "b"]);
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"kept");
    }

    #[test]
    fn discarding_removes_the_partial_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        PartFile::create(&dir, &name("a")).unwrap().discard().unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
        let part = PartFile::create(&dir, &name("a")).unwrap();
        fs::remove_file(folder.path().join("a.part")).unwrap();
        create_new(&dir, &name("a.part")).unwrap();
        part.discard().unwrap();
        assert_eq!(names(folder.path()), ["a.part"], "somebody else's file is left alone");
    }

    #[test]
    fn what_was_removed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        let part = PartFile::create(&dir, &name("a")).unwrap();
        fs::remove_file(folder.path().join("a.part")).unwrap();
        part.write_at(0, b"x").unwrap();
        assert!(matches!(part.finish(), Err(AssembleError::Gone(_))));
        folder.close().unwrap();
        assert!(matches!(PartFile::create(&dir, &name("a")), Err(AssembleError::Gone(_))));
    }

    #[test]
    fn the_mode_is_that_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("any"), "").unwrap();
        PartFile::create(&open(folder.path()), &name("a")).unwrap().finish().unwrap();
        let mode = |file: &str| fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode("a"), mode("any"));
    }

    /// A file system that is mounted for one test.
    struct Mounted(tempfile::TempDir);

    impl Mounted {
        /// `None` where this user may not mount.
        fn tmpfs(options: &str) -> Option<Self> {
            let folder = tempfile::tempdir().unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", options, "hearsay-test"]).arg(folder.path());
            let is_mounted =
                rustix::process::geteuid().is_root() && mount.status().is_ok_and(|done| done.success());
            is_mounted.then(|| Self(folder))
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
            let is_unmounted = unmounted.is_ok_and(|done| done.success());
            assert!(is_unmounted || std::thread::panicking(), "{} stays mounted", self.0.path().display());
        }
    }

    #[test]
    fn a_full_disk_is_told_and_writing_goes_on_once_there_is_room() {
        let Some(disk) = Mounted::tmpfs("size=256k") else { return };
        let path = disk.0.path();
        fs::write(path.join("ballast"), vec![1; 128 * 1024]).unwrap();
        let part = PartFile::create(&open(path), &name("a")).unwrap();
        let content = vec![7; 200 * 1024];
        assert!(matches!(part.write_at(0, &content), Err(AssembleError::NoSpace(_))));
        fs::remove_file(path.join("ballast")).unwrap();
        part.write_at(0, &content).unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read(path.join("a")).unwrap(), content);
    }

    #[test]
    fn a_directory_that_may_not_be_written_is_told() {
        let Some(disk) = Mounted::tmpfs("size=256k,ro") else { return };
        let created = PartFile::create(&open(disk.0.path()), &name("a"));
        assert!(matches!(created, Err(AssembleError::Permission(_))));
    }
}
