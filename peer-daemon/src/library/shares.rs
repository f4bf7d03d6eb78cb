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

use super::{Library, LibraryError};
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
            shares.push(Share { folder, origin: *origin });
        }
    }
    for path in added(state)? {
        if find(&shares, &path).is_none() {
            shares.push(Share { folder: path.into(), origin: Origin::RunTime });
        }
    }
    Ok(shares)
}

impl Library {
    /// Shares a folder from now on, also after a restart. It is no error if it is shared already. Blocks.
    pub(crate) fn add_share(&self, path: &Path) -> Result<(), ShareError> {
        let folder = check(path, self.shared.state.dir())?;
        let mut shares = self.shared.shares();
        if find(&shares, &folder).is_some() {
            return Ok(());
        }
        if shares.len() >= SHARES_MAX {
            return Err(ShareError::TooMany);
        }
        remember(&self.shared.state, &folder).map_err(LibraryError::from)?;
        shares.push(Share { folder, origin: Origin::RunTime });
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
        forget(&self.shared.state, &folder).map_err(LibraryError::from)?;
        shares.remove(position);
        let entries = self.shared.index().entries().to_vec();
        self.shared.publish_under(&shares, entries);
        drop(shares);
        // The watches are set anew with the scan.
        self.rescan();
        Ok(())
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
        control::Shares { schema: SCHEMA, shares: documents, scanning: self.summary().scanning }
    }
}

fn document(share: &Share) -> control::Share {
    let problem = share.folder.read_dir().err().map(|error| match error.kind() {
        io::ErrorKind::NotFound => "the folder is not there".to_owned(),
        _ => format!("the folder can't be read: {error}"),
    });
    let path = share.folder.to_string_lossy().into_owned();
    control::Share { path, origin: share.origin, files: 0, bytes: 0, problem, folders: false }
}

fn find(shares: &[Share], folder: &Path) -> Option<usize> {
    shares.iter().position(|share| *share.folder == *folder)
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
    match other.strip_prefix(folder) {
        Ok(between) => !between.components().any(|part| super::walker::is_passed_over(part.as_os_str())),
        Err(_) => folder.starts_with(other),
    }
}

fn added(state: &State) -> Result<Vec<PathBuf>, StateError> {
    state.with(|connection| {
        let mut statement = connection.prepare_cached("SELECT path FROM shares ORDER BY added_at, path")?;
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
