//! Finds the files in the shares, by their metadata alone.
//!
//! Not shared are: hidden files and folders (a leading dot), unfinished downloads (`.part`), symbolic links
//! and what lies behind them, and everything that is not a regular file.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_fs_ext::DirExt as _;
use cap_std::fs::Dir;
use protocol::limits::FILE_SIZE_MAX;
use tokio_util::sync::CancellationToken;

use super::{
    hasher::Stamp,
    path_guard::{self, Location},
};

/// Folders inside folders: deeper than people nest them, and few enough directory handles (two a level).
const DEPTH_MAX: usize = 64;
/// Files in the index: it stays within some hundred MB, and a folder that endlessly contains itself (a bind
/// mount) comes to an end.
const FILES_MAX: usize = 1_000_000;

/// A regular file, as it was when the walk came by.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) location: Location,
    pub(super) stamp: Stamp,
}

#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) found: Vec<Found>,
    /// Hidden files and folders, symbolic links, and what else is never shared.
    pub(super) hidden: u64,
    pub(super) links: u64,
    pub(super) others: u64,
    /// Files and folders that could not be read.
    pub(super) unreadable: u64,
    /// Files and folders beyond a limit.
    pub(super) beyond_limits: u64,
}

/// The walk was cancelled.
#[derive(Debug)]
pub(super) struct Cancelled;

pub(super) fn walk(shares: &[Arc<Path>], token: &CancellationToken) -> Result<Walked, Cancelled> {
    let mut walked = Walked::default();
    for share in shares {
        let mut walk = Walk { share, token, walked: &mut walked };
        match path_guard::open_share(share) {
            Ok(dir) => walk.folder(&dir, Path::new(""), 0)?,
            Err(_) => walk.walked.unreadable += 1,
        }
    }
    Ok(walked)
}

/// The same for one folder of a share.
pub(super) fn walk_below(folder: &Location, token: &CancellationToken) -> Result<Walked, Cancelled> {
    let mut walked = Walked::default();
    let opened = path_guard::open_share(&folder.share)
        .and_then(|share| folder.path.iter().try_fold(share, |dir, name| dir.open_dir_nofollow(name)));
    if let Ok(dir) = opened {
        let mut walk = Walk { share: &folder.share, token, walked: &mut walked };
        // Joined to it, names have one separator before them.
        walk.folder(&dir, &folder.path, folder.path.iter().count())?;
    }
    Ok(walked)
}

struct Walk<'a> {
    share: &'a Arc<Path>,
    token: &'a CancellationToken,
    walked: &'a mut Walked,
}

impl Walk<'_> {
    fn folder(&mut self, dir: &Dir, path: &Path, depth: usize) -> Result<(), Cancelled> {
        let Ok(entries) = dir.entries() else {
            self.walked.unreadable += 1;
            return Ok(());
        };
        for entry in entries {
            if self.token.is_cancelled() {
                return Err(Cancelled);
            }
            // A directory that can't be read on gives the same error for ever.
            let Ok(entry) = entry else {
                self.walked.unreadable += 1;
                return Ok(());
            };
            let name = entry.file_name();
            if is_passed_over(&name) {
                if is_hidden(&name) {
                    self.walked.hidden += 1;
                } else {
                    self.walked.others += 1;
                }
                continue;
            }
            match self.entry(dir, &name, path.join(&name), depth) {
                Ok(seen) => seen?,
                // Gone since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => self.walked.unreadable += 1,
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        dir: &Dir,
        name: &OsStr,
        path: PathBuf,
        depth: usize,
    ) -> io::Result<Result<(), Cancelled>> {
        let metadata = dir.symlink_metadata(name)?;
        if metadata.is_dir() {
            if depth < DEPTH_MAX {
                return Ok(self.folder(&dir.open_dir_nofollow(name)?, &path, depth + 1));
            }
            self.walked.beyond_limits += 1;
        } else if metadata.is_file() {
            if metadata.len() <= FILE_SIZE_MAX && self.walked.found.len() < FILES_MAX {
                let location = Location { share: Arc::clone(self.share), path };
                self.walked.found.push(Found { location, stamp: Stamp::new(&metadata) });
            } else {
                self.walked.beyond_limits += 1;
            }
        } else if metadata.is_symlink() {
            self.walked.links += 1;
        } else {
            self.walked.others += 1;
        }
        Ok(Ok(()))
    }
}

/// Whether files of this name, and what is in folders of this name, are not shared.
pub(super) fn is_passed_over(name: &OsStr) -> bool {
    is_hidden(name) || name.as_encoded_bytes().to_ascii_lowercase().ends_with(b".part")
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{fs::symlink, net::UnixListener},
        path::Path,
    };

    use tokio_util::sync::CancellationToken;

    use super::{DEPTH_MAX, walk};

    fn paths(share: &Path) -> Vec<String> {
        let walked = walk(&[share.into()], &CancellationToken::new()).unwrap();
        assert_eq!(walked.unreadable, 0);
        let mut paths: Vec<_> =
            walked.found.iter().map(|found| found.location.path.to_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    }

    #[test]
    fn regular_visible_finished_files_are_found() {
        let parent = tempfile::tempdir().unwrap();
        let share = parent.path().join("share");
        fs::create_dir_all(share.join("a/b")).unwrap();
        fs::create_dir_all(share.join(".git")).unwrap();
        fs::create_dir_all(parent.path().join("elsewhere")).unwrap();
        for file in
            ["top", "a/b/deep", "a/empty", ".hidden", ".git/config", "film.mkv.part", "FILM.PART", "party"]
        {
            fs::write(share.join(file), file).unwrap();
        }
        fs::write(parent.path().join("elsewhere/file"), "secret").unwrap();
        symlink(parent.path().join("elsewhere"), share.join("folder link")).unwrap();
        symlink(parent.path().join("elsewhere/file"), share.join("file link")).unwrap();
        symlink("top", share.join("inner link")).unwrap();
        symlink(".", share.join("loop")).unwrap();
        let _socket = UnixListener::bind(share.join("socket")).unwrap();
        assert_eq!(paths(&share), ["a/b/deep", "a/empty", "party", "top"]);
        let walked = walk(&[share.as_path().into()], &CancellationToken::new()).unwrap();
        assert_eq!((walked.hidden, walked.links, walked.others), (2, 4, 3));
    }

    #[test]
    fn folders_below_the_limit_are_counted_and_left_out() {
        let share = tempfile::tempdir().unwrap();
        let deepest = share.path().join(vec!["d"; DEPTH_MAX].join("/"));
        fs::create_dir_all(deepest.join("too deep")).unwrap();
        fs::write(deepest.join("file"), "").unwrap();
        fs::write(deepest.join("too deep/file"), "").unwrap();
        let walked = walk(&[share.path().into()], &CancellationToken::new()).unwrap();
        assert_eq!((walked.found.len(), walked.beyond_limits, walked.unreadable), (1, 1, 0));
    }

    #[test]
    fn a_share_that_went_away_is_counted_and_a_cancelled_walk_ends() {
        let share = tempfile::tempdir().unwrap();
        let token = CancellationToken::new();
        let gone = share.path().join("gone");
        assert_eq!(walk(&[gone.as_path().into()], &token).unwrap().unreadable, 1);
        fs::write(share.path().join("file"), "").unwrap();
        token.cancel();
        assert!(walk(&[share.path().into()], &token).is_err());
    }
}
