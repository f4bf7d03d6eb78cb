//! From an open file to its identity and piece layer, with the guarantee that the stamp belongs to what was
//! hashed.

use std::{
    fs::File,
    io::{self, Read},
    thread,
    time::{Duration, UNIX_EPOCH},
};

use cap_std::fs::MetadataExt as _;
use protocol::{
    FileId,
    root::{FileHasher, PieceLayer},
};
use thiserror::Error;

use crate::clock;

/// Large enough that a spinning disk reads in sequence, small enough that a cancelled scan ends at once.
const READ_BYTES: usize = 1024 * 1024;
/// Kernels take a file's times from a clock that ticks at least this often.
const TIMESTAMP_GRAIN: Duration = Duration::from_millis(20);

/// What tells that a file is still the one that was hashed, without reading it. Content that changes changes
/// at least the ctime, which no program can set. (Writes through a mapping may show late; the receiver's
/// verification catches those.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
}

impl Stamp {
    pub(super) fn new(metadata: &cap_std::fs::Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    pub(super) fn of(file: &File) -> io::Result<Self> {
        cap_std::fs::Metadata::from_file(file).map(|metadata| Self::new(&metadata))
    }
}

#[derive(Debug, Error)]
pub(super) enum HashError {
    #[error("the file changed while it was hashed")]
    Changed,
    #[error("hashing was cancelled")]
    Cancelled,
    #[error("the file can't be read")]
    Io(#[from] io::Error),
}

/// Hashes a file that has this stamp; an error when it does not have it from the first byte to the last.
pub(super) fn hash(
    file: &File,
    stamp: &Stamp,
    is_over: impl Fn() -> bool,
) -> Result<(FileId, PieceLayer), HashError> {
    wait_out_grain(stamp);
    // Only advice: a file system that does not take it is read all the same.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
    let mut tree = FileHasher::new(stamp.size);
    let mut reader = file.take(stamp.size);
    let mut block = vec![0; READ_BYTES];
    loop {
        if is_over() {
            return Err(HashError::Cancelled);
        }
        if Stamp::of(file)? != *stamp {
            return Err(HashError::Changed);
        }
        match reader.read(&mut block) {
            Ok(0) => break,
            Ok(read) => tree.update(&block[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let hashed = tree.finish().map_err(|_| HashError::Changed)?;
    // The loop looked before each read; this looks after the last one.
    if Stamp::of(file)? == *stamp { Ok(hashed) } else { Err(HashError::Changed) }
}

/// A file written in the last tick of the kernel's clock could be written again within that same tick, and
/// its stamp would not tell. One tick later every further write shows.
fn wait_out_grain(stamp: &Stamp) {
    let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::from_nanos(u64::try_from(stamp.ctime_ns).unwrap_or(0));
    // A ctime in the future is another machine's clock, which says nothing about ours.
    if let Some(age) = now.checked_sub(changed)
        && let Some(rest) = TIMESTAMP_GRAIN.checked_sub(age)
    {
        thread::sleep(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write as _,
    };

    use super::{HashError, READ_BYTES, Stamp, hash};

    #[test]
    fn a_file_that_is_not_the_stamped_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, vec![1; 3 * READ_BYTES]).unwrap();
        let file = File::open(&path).unwrap();
        let stamp = Stamp::of(&file).unwrap();
        let (id, _) = hash(&file, &stamp, || false).unwrap();
        assert_eq!(id.size, stamp.size);
        // Same length, other bytes.
        fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&[2]).unwrap();
        let file = File::open(&path).unwrap();
        assert!(matches!(hash(&file, &stamp, || false), Err(HashError::Changed)));
    }

    #[test]
    fn a_write_right_after_hashing_shows_in_the_stamp() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let path = dir.path().join(round.to_string());
            fs::write(&path, "before").unwrap();
            let file = File::open(&path).unwrap();
            let stamp = Stamp::of(&file).unwrap();
            hash(&file, &stamp, || false).unwrap();
            fs::write(&path, "behind").unwrap();
            assert_ne!(Stamp::of(&file).unwrap(), stamp);
        }
    }

    #[test]
    fn a_cancelled_hash_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "x").unwrap();
        let file = File::open(&path).unwrap();
        let hashed = hash(&file, &Stamp::of(&file).unwrap(), || true);
        assert!(matches!(hashed, Err(HashError::Cancelled)));
    }
}
