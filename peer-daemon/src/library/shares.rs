//! Which folders are shared: those of the configuration, and those added while the daemon ran.
//!
//! What was added is kept in the state and belongs to the person as it is: it is not checked at the start, for
//! a disk that is away must not keep the daemon from starting. The configuration's shares can't be taken out
//! here, since the daemon never writes the file that names them.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use protocol::control::{self, Origin, SCHEMA};
use rusqlite::params;
use thiserror::Error;

use super::{
    Library, LibraryError,
    path_guard::{self, Location},
};
use crate::{
    clock,
    state::{State, StateError},
};

/// Shares in all. People have a handful; with thousands, each event of a watch would be compared with each.
const SHARES_MAX: usize = 256;

/// A folder that is shared.
#[derive(Debug, Clone)]
pub(super) struct Share {
    /// Absolute and without links. Locations in it hold this very pointer.
    pub(super) folder: Arc<Path>,
    pub(super) origin: Origin,
    /// Whether it, and the folders in it, are offered as a whole, too.
    pub(super) is_whole: bool,
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.folder, &other.folder) && self.is_whole == other.is_whole
    }
}

/// Why a share can't be added or taken out.
#[derive(Debug, Error)]
pub(crate) enum ShareError {
    #[error(transparent)]
    Unusable(#[from] LibraryError),
    #[error("there are {SHARES_MAX} shares, and no more are possible: share the folder that several are in")]
    TooMany,
    #[error("there is no such share")]
    Unknown,
    #[error("the share was named at the start")]
    Configured(Origin),
}

/// The configuration's shares, which must be there, and those that were added.
pub(super) fn at_start(state: &State, configured: &[(PathBuf, Origin)]) -> Result<Vec<Share>, LibraryError> {
    let mut shares: Vec<Share> = Vec::new();
    for (path, origin) in configured {
        let folder = check(path, state.dir())?;
        if find(&shares, &folder).is_none() {
            shares.push(Share { folder, origin: *origin, is_whole: false });
        }
    }
    for path in added(state)? {
        if find(&shares, &path).is_none() {
            shares.push(Share { folder: path.into(), origin: Origin::RunTime, is_whole: false });
        }
    }
    for path in offered_whole(state)? {
        match find(&shares, &path) {
            Some(position) => shares[position].is_whole = true,
            // Shared again one day, it is offered as any other.
            None => remember_whole(state, &path, false)?,
        }
    }
    Ok(shares)
}

impl Library {
    /// Shares a folder from now on, also after a restart, or changes whether its folders are offered as a whole, which
    /// they are not unless it is said. It is no error if it is shared like that already. Blocks.
    pub(crate) fn add_share(&self, path: &Path, whole: Option<bool>) -> Result<(), ShareError> {
        let folder = check(path, self.shared.state.dir())?;
        let mut shares = self.shared.shares();
        let known = find(&shares, &folder);
        if known.is_none() && shares.len() >= SHARES_MAX {
            return Err(ShareError::TooMany);
        }
        let was_whole = known.is_some_and(|position| shares[position].is_whole);
        let is_whole = whole.unwrap_or(was_whole);
        if known.is_some() && is_whole == was_whole {
            return Ok(());
        }
        // Before the share itself: what a crash leaves of it is no share, and forgotten.
        remember_whole(&self.shared.state, &folder, is_whole).map_err(LibraryError::from)?;
        if let Some(position) = known {
            shares[position].is_whole = is_whole;
        } else {
            remember(&self.shared.state, &folder).map_err(LibraryError::from)?;
            shares.push(Share { folder, origin: Origin::RunTime, is_whole });
        }
        if !is_whole {
            // At once: what is not to be offered any more is not.
            self.shared.publish_under(&shares, &self.shared.index());
        }
        drop(shares);
        self.rescan();
        Ok(())
    }

    /// Stops to share a folder. When this returns, none of its files is offered, and what is being sent of them
    /// ends with its next block. Blocks.
    pub(crate) fn remove_share(&self, path: &Path) -> Result<(), ShareError> {
        // A folder that is gone has no other name than the one under which it was added.
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut shares = self.shared.shares();
        let position = find(&shares, &folder).ok_or(ShareError::Unknown)?;
        let origin = shares[position].origin;
        if origin != Origin::RunTime {
            return Err(ShareError::Configured(origin));
        }
        remember_whole(&self.shared.state, &folder, false).map_err(LibraryError::from)?;
        forget(&self.shared.state, &folder).map_err(LibraryError::from)?;
        shares.remove(position);
        self.shared.publish_under(&shares, &self.shared.index());
        drop(shares);
        // The watches are set anew with the scan.
        self.rescan();
        Ok(())
    }

    /// Whether this path, which is without links, is a share or in one, and not hidden there.
    pub(crate) fn shares_hold(&self, path: &Path) -> bool {
        self.shared.shares().iter().any(|share| holds(&share.folder, path))
    }

    /// The shares with what is offered of each. Blocks for a look at each folder.
    pub(crate) fn shares(&self) -> control::Shares {
        let shares = self.shared.shares().clone();
        let index = self.shared.index();
        let mut documents: Vec<_> = shares.iter().map(document).collect();
        for entry in index.entries() {
            let is_its = |share: &Share| Arc::ptr_eq(&share.folder, &entry.location.share);
            if let Some(position) = shares.iter().position(is_its) {
                documents[position].files += 1;
                documents[position].bytes += entry.file.size;
            }
        }
        for (document, share) in documents.iter_mut().zip(&shares) {
            let is_its = |location: &Location| Arc::ptr_eq(&share.folder, &location.share);
            let whole = index.folders().iter().filter(|folder| is_its(&folder.location));
            document.whole_folders = whole.count() as u64;
            let too_large = index.folders().too_large().iter().filter(|location| is_its(location));
            document.too_large_folders = too_large.count() as u64;
        }
        control::Shares { schema: SCHEMA, shares: documents, scanning: self.summary().scanning }
    }
}

fn document(share: &Share) -> control::Share {
    let reading = path_guard::open_share(&share.folder).and_then(|folder| folder.entries().map(drop));
    let problem = reading.err().map(|error| match error.kind() {
        io::ErrorKind::NotFound => "the folder is not there".to_owned(),
        io::ErrorKind::NotADirectory => {
            "a link, or a file, is in the folder's place, or on the way to it; share the folder itself"
                .to_owned()
        }
        _ => format!("the folder can't be read: {error}"),
    });
    let path = share.folder.to_string_lossy().into_owned();
    control::Share {
        path,
        origin: share.origin,
        files: 0,
        bytes: 0,
        problem,
        folders: share.is_whole,
        whole_folders: 0,
        too_large_folders: 0,
    }
}

fn find(shares: &[Share], folder: &Path) -> Option<usize> {
    shares.iter().position(|share| *share.folder == *folder)
}

/// Whether a start could share it.
pub(crate) fn could_share(path: &Path, state_dir: &Path) -> Result<(), LibraryError> {
    check(path, state_dir).map(drop)
}

/// A folder that can be shared, absolute and without links.
pub(super) fn check(path: &Path, state_dir: &Path) -> Result<Arc<Path>, LibraryError> {
    let unusable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LibraryError::Missing { path: path.to_owned() },
        io::ErrorKind::NotADirectory => LibraryError::NotAFolder { path: path.to_owned() },
        _ => LibraryError::Unreadable { path: path.to_owned(), source },
    };
    let folder = path.canonicalize().map_err(unusable)?;
    folder.read_dir().map_err(unusable)?;
    let state_dir = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
    if is_offered_by(&folder, &state_dir) {
        return Err(LibraryError::HoldsState { path: path.to_owned() });
    }
    Ok(folder.into())
}

/// Whether sharing the folder would offer what lies in the other one. In a hidden folder nothing is offered.
fn is_offered_by(folder: &Path, other: &Path) -> bool {
    holds(folder, other) || folder.starts_with(other)
}

/// Whether the path is the folder, or in it and in nothing there that is passed over. Both are without links.
pub(crate) fn holds(folder: &Path, path: &Path) -> bool {
    let is_passed_over = |part: std::path::Component<'_>| super::walker::is_passed_over(part.as_os_str());
    path.strip_prefix(folder).is_ok_and(|between| !between.components().any(is_passed_over))
}

fn added(state: &State) -> Result<Vec<PathBuf>, StateError> {
    paths(state, "SELECT path FROM shares ORDER BY added_at, path")
}

fn offered_whole(state: &State) -> Result<Vec<PathBuf>, StateError> {
    paths(state, "SELECT path FROM whole_shares")
}

fn paths(state: &State, sql: &str) -> Result<Vec<PathBuf>, StateError> {
    state.with(|connection| {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|bytes| Ok(PathBuf::from(OsStr::from_bytes(&bytes?)))).collect()
    })
}

fn remember(state: &State, folder: &Path) -> Result<(), StateError> {
    let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    state.with(|connection| {
        connection
            .prepare_cached("INSERT OR IGNORE INTO shares (path, added_at) VALUES (?1, ?2)")?
            .execute(params![folder.as_os_str().as_bytes(), now.cast_signed()])
            .map(drop)
    })
}

fn forget(state: &State, folder: &Path) -> Result<(), StateError> {
    state.with(|connection| {
        connection
            .prepare_cached("DELETE FROM shares WHERE path = ?1")?
            .execute([folder.as_os_str().as_bytes()])
            .map(drop)
    })
}

/// Whether a share, also one of the configuration, is offered with its folders as a whole.
fn remember_whole(state: &State, folder: &Path, is_whole: bool) -> Result<(), StateError> {
    let sql = if is_whole {
        "INSERT OR IGNORE INTO whole_shares (path) VALUES (?1)"
    } else {
        "DELETE FROM whole_shares WHERE path = ?1"
    };
    state
        .with(|connection| connection.prepare_cached(sql)?.execute([folder.as_os_str().as_bytes()]).map(drop))
}
