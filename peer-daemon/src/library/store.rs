//! The hash cache in the state database: a file whose stamp is known is not read again.

use protocol::{FileId, Root, root::PieceLayer};
use rusqlite::{OptionalExtension as _, params, types::FromSql};

use super::hasher::Stamp;
use crate::state::{State, StateError};

/// Rows of files that are not shared any more are kept up to this many more than there are shared files: a
/// share that is taken out and put back is not hashed again, and the cache stays in proportion.
const UNSHARED_ROWS_KEPT: usize = 10_000;

/// All methods block.
#[derive(Clone)]
pub(super) struct HashCache {
    state: State,
}

impl HashCache {
    pub(super) fn new(state: State) -> Self {
        Self { state }
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The identity of a file with exactly this stamp.
    pub(super) fn file(&self, stamp: &Stamp) -> Result<Option<FileId>, StateError> {
        let root: Option<[u8; 32]> = self.column("root", stamp)?;
        Ok(root.and_then(|root| FileId::new(Root::from_bytes(root), stamp.size).ok()))
    }

    /// The piece layer, proven to belong to the file; none when it is not there or not whole.
    pub(super) fn layer(&self, stamp: &Stamp, file: &FileId) -> Result<Option<PieceLayer>, StateError> {
        let bytes: Option<Vec<u8>> = self.column("layer", stamp)?;
        Ok(bytes.and_then(|bytes| PieceLayer::verify(file, &bytes).ok()))
    }

    /// What is kept in this column of a file with exactly this stamp.
    fn column<T: FromSql>(&self, column: &'static str, stamp: &Stamp) -> Result<Option<T>, StateError> {
        let of_stamp = "device = ?1 AND inode = ?2 AND size = ?3 AND mtime_ns = ?4 AND ctime_ns = ?5";
        self.state.with(|connection| {
            connection
                .prepare_cached(&format!("SELECT {column} FROM hash_cache WHERE {of_stamp}"))?
                .query_row(key(stamp), |row| row.get(0))
                .optional()
        })
    }

    pub(super) fn put(&self, stamp: &Stamp, layer: &PieceLayer) -> Result<(), StateError> {
        let [device, inode, size, mtime_ns, ctime_ns] = key(stamp);
        let root = layer.file().root;
        self.state.with(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO hash_cache VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![device, inode, size, mtime_ns, ctime_ns, root.as_bytes(), layer.to_bytes()])
                .map(drop)
        })
    }

    /// Forgets a file whose record is not to be trusted, so that it is hashed again.
    pub(super) fn forget(&self, stamp: &Stamp) -> Result<(), StateError> {
        let [device, inode, ..] = key(stamp);
        self.state.with(|connection| {
            connection
                .prepare_cached("DELETE FROM hash_cache WHERE device = ?1 AND inode = ?2")?
                .execute([device, inode])
                .map(drop)
        })
    }

    /// Forgets files that are not shared any more, once there are many; tells how many.
    pub(super) fn prune(&self, shared: impl Iterator<Item = Stamp>) -> Result<usize, StateError> {
        self.prune_above(shared, UNSHARED_ROWS_KEPT)
    }

    fn prune_above(&self, shared: impl Iterator<Item = Stamp>, kept: usize) -> Result<usize, StateError> {
        let shared: Vec<_> = shared.collect();
        self.state.with(|connection| {
            let rows: i64 = connection.query_row("SELECT count(*) FROM hash_cache", [], |row| row.get(0))?;
            if usize::try_from(rows).unwrap_or(0) <= shared.len() + kept {
                return Ok(0);
            }
            let transaction = connection.transaction()?;
            transaction.execute_batch(
                "CREATE TEMP TABLE shared_now (device INTEGER, inode INTEGER, PRIMARY KEY (device, inode))",
            )?;
            for stamp in &shared {
                let [device, inode, ..] = key(stamp);
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO shared_now VALUES (?1, ?2)")?
                    .execute([device, inode])?;
            }
            let forgotten = transaction.execute(
                "DELETE FROM hash_cache WHERE (device, inode) NOT IN (SELECT device, inode FROM shared_now)",
                [],
            )?;
            transaction.execute_batch("DROP TABLE shared_now")?;
            transaction.commit()?;
            Ok(forgotten)
        })
    }
}

/// SQLite's integers are signed; the numbers are only compared for equality, so their bits do.
fn key(stamp: &Stamp) -> [i64; 5] {
    [
        stamp.device.cast_signed(),
        stamp.inode.cast_signed(),
        stamp.size.cast_signed(),
        stamp.mtime_ns,
        stamp.ctime_ns,
    ]
}

#[cfg(test)]
mod tests {
    use protocol::root::{FileHasher, PieceLayer};

    use super::HashCache;
    use crate::{library::hasher::Stamp, state::State};

    fn stamp(inode: u64, size: u64) -> Stamp {
        Stamp { device: u64::MAX, inode, size, mtime_ns: -5, ctime_ns: i64::MAX }
    }

    fn layer(bytes: &[u8]) -> PieceLayer {
        let mut hasher = FileHasher::new(bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish().unwrap().1
    }

    fn cache() -> (tempfile::TempDir, HashCache) {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        (dir, HashCache::new(state))
    }

    #[test]
    fn a_record_is_found_under_its_whole_stamp_only() {
        let (_dir, cache) = cache();
        let layer = layer(&vec![3; 5 << 20]);
        let stamp = stamp(7, 5 << 20);
        cache.put(&stamp, &layer).unwrap();
        assert_eq!(cache.file(&stamp).unwrap(), Some(layer.file()));
        assert_eq!(cache.layer(&stamp, &layer.file()).unwrap().as_ref(), Some(&layer));
        for other in [
            Stamp { device: 1, ..stamp },
            Stamp { inode: 8, ..stamp },
            Stamp { size: 1, ..stamp },
            Stamp { mtime_ns: 0, ..stamp },
            Stamp { ctime_ns: 0, ..stamp },
        ] {
            assert_eq!(cache.file(&other).unwrap(), None, "{other:?}");
            assert_eq!(cache.layer(&other, &layer.file()).unwrap(), None, "{other:?}");
        }
    }

    #[test]
    fn a_layer_that_does_not_lead_to_the_root_is_not_handed_out() {
        let (_dir, cache) = cache();
        let layer = layer(&vec![3; 5 << 20]);
        let stamp = stamp(7, 5 << 20);
        cache.put(&stamp, &layer).unwrap();
        cache
            .state
            .with(|connection| connection.execute("UPDATE hash_cache SET layer = zeroblob(160)", []))
            .unwrap();
        assert_eq!(cache.layer(&stamp, &layer.file()).unwrap(), None);
        cache.forget(&stamp).unwrap();
        assert_eq!(cache.file(&stamp).unwrap(), None);
    }

    #[test]
    fn pruning_spares_what_is_shared_and_waits_for_many() {
        let (_dir, cache) = cache();
        let layer = layer(b"x");
        for inode in 0..10 {
            cache.put(&stamp(inode, 1), &layer).unwrap();
        }
        let shared = || (0..3).map(|inode| stamp(inode, 1));
        assert_eq!(cache.prune_above(shared(), 7).unwrap(), 0);
        for _ in 0..2 {
            cache.put(&stamp(20, 1), &layer).unwrap();
        }
        assert_eq!(cache.prune_above(shared(), 7).unwrap(), 8);
        assert_eq!(cache.prune(shared()).unwrap(), 0);
        for inode in 0..3 {
            assert!(cache.file(&stamp(inode, 1)).unwrap().is_some());
        }
    }
}
