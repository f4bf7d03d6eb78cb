//! Folders in the state database: their listing, what of them is there, and their files on their way.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::account::Tally;
use crate::{
    downloads::{
        entry::DownloadId,
        store::{DownloadStore, PartOf, Remains, read_remains},
    },
    state::StateError,
};
use protocol::{FileId, FolderSummary, root::PieceLayer};

impl DownloadStore {
    pub(in crate::downloads) fn save_listing(
        &self,
        id: DownloadId,
        listing: &[u8],
    ) -> Result<(), StateError> {
        self.state().with(|connection| {
            let sql = "INSERT OR REPLACE INTO download_listings (download, listing) VALUES (?1, ?2)";
            connection.execute(sql, params![id, listing]).map(drop)
        })
    }

    pub(in crate::downloads) fn listing(&self, id: DownloadId) -> Result<Option<Vec<u8>>, StateError> {
        self.state().with(|connection| {
            let sql = "SELECT listing FROM download_listings WHERE download = ?1";
            connection.query_row(sql, [id], |row| row.get(0)).optional()
        })
    }

    /// A folder that is whole needs its listing no more.
    pub(in crate::downloads) fn forget_listing(&self, id: DownloadId) -> Result<(), StateError> {
        self.state().with(|connection| {
            connection.execute("DELETE FROM download_parts WHERE download = ?1", [id])?;
            connection.execute("DELETE FROM download_listings WHERE download = ?1", [id]).map(drop)
        })
    }

    /// Notes the folder on its way, and what in it was synced.
    pub(in crate::downloads) fn save_tree(
        &self,
        id: DownloadId,
        remains: &Remains,
        tally: Tally,
    ) -> Result<(), StateError> {
        self.save_remains(PartOf::Download(id), remains)?;
        self.state().with(|connection| {
            let sql = "UPDATE download_folders SET finished = ?2, received = ?3 WHERE download = ?1";
            let counts = params![id, tally.finished.cast_signed(), tally.received.cast_signed()];
            connection.prepare_cached(sql)?.execute(counts).map(drop)
        })
    }

    /// The files on their way, by number.
    pub(in crate::downloads) fn parts(&self, id: DownloadId) -> Result<Vec<(usize, Remains)>, StateError> {
        self.state().with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT number, part, inode, verified, boot_id FROM download_parts WHERE download = ?1",
            )?;
            let parts = statement.query_map([id], |row| {
                let number: i64 = row.get("number")?;
                Ok(usize::try_from(number).ok().zip(read_remains(row)?))
            })?;
            parts.filter_map(Result::transpose).collect()
        })
    }

    /// Of a file that is on its way.
    pub(in crate::downloads) fn save_part_layer(
        &self,
        id: DownloadId,
        number: usize,
        layer: &PieceLayer,
    ) -> Result<(), StateError> {
        self.state().with(|connection| {
            let sql = "UPDATE download_parts SET layer = ?3 WHERE download = ?1 AND number = ?2";
            let values = params![id, to_number(number), layer.to_bytes()];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        })
    }

    /// The piece layer, proven to belong to the file.
    pub(in crate::downloads) fn part_layer(
        &self,
        id: DownloadId,
        number: usize,
        file: &FileId,
    ) -> Result<Option<PieceLayer>, StateError> {
        let bytes: Option<Option<Vec<u8>>> = self.state().with(|connection| {
            let sql = "SELECT layer FROM download_parts WHERE download = ?1 AND number = ?2";
            connection.query_row(sql, params![id, to_number(number)], |row| row.get(0)).optional()
        })?;
        Ok(bytes.flatten().and_then(|bytes| PieceLayer::verify(file, &bytes).ok()))
    }

    /// A file is not on its way any more.
    pub(in crate::downloads) fn forget_part(&self, id: DownloadId, number: usize) -> Result<(), StateError> {
        self.state().with(|connection| {
            let sql = "DELETE FROM download_parts WHERE download = ?1 AND number = ?2";
            connection.execute(sql, params![id, to_number(number)]).map(drop)
        })
    }
}

/// How much there is in a folder, and how much of it is there.
pub(in crate::downloads) fn save_folder(
    transaction: &Transaction<'_>,
    id: DownloadId,
    summary: FolderSummary,
    tally: Tally,
) -> rusqlite::Result<()> {
    let counts = [summary.files, summary.bytes, tally.finished, tally.received].map(u64::cast_signed);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO download_folders (download, files, bytes, finished, received)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![id, counts[0], counts[1], counts[2], counts[3]])
        .map(drop)
}

pub(in crate::downloads) fn to_number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
