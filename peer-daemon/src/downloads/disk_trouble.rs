//! Why a download waits for the disk: a trouble that passes, and what a person can do about it meanwhile.

use std::path::PathBuf;

use protocol::{byte_size::ByteSize, control::Cause};
use thiserror::Error;

/// Must be free beside what a download still needs: the daemon's own records may lie on that disk, and other
/// programs that write to it are not to fail because of a download.
pub(super) const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// A download goes on by itself once it is over.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum DiskTrouble {
    /// `needed` includes the reserve.
    #[error("needs {}, {} are free in {}", ByteSize(*needed), ByteSize(*free), folder.display())]
    NoSpace { needed: u64, free: u64, folder: PathBuf },
    #[error("nothing more can be written to {}, though space is free: a quota may be used up", folder.display())]
    Quota { folder: PathBuf },
    /// Of the database of this daemon, which has no disk to be mounted.
    #[error("{0}")]
    NoSpaceForState(String),
    #[error("the download folder {} is on a file system that is read-only now", folder.display())]
    ReadOnly { folder: PathBuf },
    #[error("this user may not write to the download folder {}", folder.display())]
    NotPermitted { folder: PathBuf },
    #[error("the download folder {} was removed: make it again", folder.display())]
    Removed { folder: PathBuf },
    #[error(
        "the disk of the download folder is not mounted at {}: mount it, or name another folder: \
         peerctl config set download_dir DIR", mount_point.display()
    )]
    NotMounted { mount_point: PathBuf },
    #[error("the download folder {} can't be looked at: {error}", folder.display())]
    Unusable { folder: PathBuf, error: String },
}

impl DiskTrouble {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::NoSpace { .. } | Self::Quota { .. } | Self::NoSpaceForState(_) => Cause::NoSpace,
            Self::ReadOnly { .. } | Self::NotPermitted { .. } => Cause::Permission,
            Self::Removed { .. } | Self::NotMounted { .. } | Self::Unusable { .. } => Cause::FolderGone,
        }
    }
}

/// What a look at the folder found: it can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) free: u64,
    pub(super) folder: PathBuf,
}

impl Room {
    /// Whether a download that misses so many bytes may begin or go on.
    pub(super) fn must_fit(&self, missing: u64) -> Result<(), DiskTrouble> {
        if missing.saturating_add(RESERVE_BYTES) <= self.free { Ok(()) } else { Err(self.shortage(missing)) }
    }

    /// Whether a download that runs may run on. What it writes was free when it began, so only the reserve is
    /// asked for: it is gone when others have written.
    pub(super) fn must_last(&self, missing: u64) -> Result<(), DiskTrouble> {
        if RESERVE_BYTES <= self.free { Ok(()) } else { Err(self.shortage(missing)) }
    }

    /// The trouble of a write that found no space.
    pub(super) fn refused(&self, missing: u64) -> DiskTrouble {
        match self.must_fit(missing) {
            Ok(()) => DiskTrouble::Quota { folder: self.folder.clone() },
            Err(trouble) => trouble,
        }
    }

    fn shortage(&self, missing: u64) -> DiskTrouble {
        let needed = missing.saturating_add(RESERVE_BYTES);
        DiskTrouble::NoSpace { needed, free: self.free, folder: self.folder.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn room(free: u64) -> Room {
        Room { free, folder: "/downloads".into() }
    }

    #[test]
    fn a_download_begins_where_it_fits_beside_the_reserve_and_runs_as_long_as_that_is_left() {
        let missing = 40 * MIB;
        assert_eq!(room(missing + RESERVE_BYTES).must_fit(missing), Ok(()));
        assert!(room(missing + RESERVE_BYTES - 1).must_fit(missing).is_err());
        assert_eq!(room(RESERVE_BYTES).must_last(missing), Ok(()));
        assert!(room(RESERVE_BYTES - 1).must_last(missing).is_err());
        assert!(room(u64::MAX).must_fit(u64::MAX).is_ok(), "no overflow");
    }

    #[test]
    fn the_sentence_has_the_numbers() {
        let trouble = room(300 * MIB).must_fit(1200 * MIB).unwrap_err();
        assert_eq!(trouble.to_string(), "needs 1.1 GiB, 300 MiB are free in /downloads");
        assert_eq!(room(300 * MIB).refused(1200 * MIB), trouble);
        assert!(matches!(room(300 * MIB).refused(MIB), DiskTrouble::Quota { .. }));
    }
}
