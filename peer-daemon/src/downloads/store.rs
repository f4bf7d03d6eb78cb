//! Downloads in the state database: what is needed to show them, and to go on with them after a crash.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::PathBuf,
};

use protocol::{
    CertificateSha256, Conflict, FileId, FolderSummary, ReplyKey, Root, SafeName, Username, root::PieceLayer,
};
use rusqlite::{
    OptionalExtension as _, Row, ToSql, Transaction, params,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    entry::DownloadId,
    history::{Change, save_changes},
    life::Life,
    tree::{
        account::Tally,
        store::{save_folder, to_number},
    },
};
use crate::{
    searches::Source,
    state::{State, StateError},
};

/// A download as it is stored, its pieces apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) id: DownloadId,
    pub(super) source: Source,
    pub(super) conflict: Conflict,
    pub(super) life: Life,
    pub(super) path: PathBuf,
    /// How much of a folder is there.
    pub(super) tally: Tally,
    /// What happened since it was last saved.
    pub(super) changes: Vec<Change>,
}

/// What an earlier process left of a download on the disk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Remains {
    /// The partial file's name, and which file it is.
    pub(super) part: SafeName,
    pub(super) inode: u64,
    /// A bit for each piece that was synced.
    pub(super) verified_bits: Vec<u8>,
    /// The boot in which that was so: after another one, nothing is taken for granted.
    pub(super) boot_id: String,
}

/// What a partial file, or folder, is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartOf {
    Download(DownloadId),
    /// A file of a folder, by its number.
    File(DownloadId, usize),
}

/// What is to be saved.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub(super) records: Vec<Record>,
    /// Downloads that are off the list.
    pub(super) forgotten: Vec<DownloadId>,
}

impl Unsaved {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.forgotten.is_empty()
    }
}

/// What an earlier process had.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loaded {
    /// In the order of their ids.
    pub(super) records: Vec<(Record, Option<Remains>)>,
    /// The highest id ever given.
    pub(super) last_id: u64,
}

/// All methods block.
#[derive(Clone)]
pub(super) struct DownloadStore {
    state: State,
}

impl DownloadStore {
    pub(super) fn new(state: State) -> Self {
        Self { state }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn load(&self) -> Result<Loaded, StateError> {
        self.state.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, name, root, size, username, reply_key, certificate_sha256, conflict, life, path,
                 part, inode, verified, boot_id, files, bytes, finished, received
                 FROM downloads LEFT JOIN download_folders ON download = id ORDER BY id",
            )?;
            // A record that can't be read is passed over rather than keeping the daemon from starting.
            let records = statement.query_map([], read_record)?.filter_map(Result::transpose);
            let records = records.collect::<rusqlite::Result<Vec<_>>>()?;
            let last_id = connection
                .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'downloads'", [], |row| row.get(0))
                .optional()?;
            Ok(Loaded { records, last_id: last_id.map_or(0, i64::cast_unsigned) })
        })
    }

    /// Saves records and their changes, and forgets what is off the list: all or none.
    pub(super) fn save(&self, unsaved: &Unsaved) -> Result<(), StateError> {
        self.state.with(|connection| {
            let transaction = connection.transaction()?;
            for record in &unsaved.records {
                save_record(&transaction, record)?;
            }
            for id in &unsaved.forgotten {
                transaction.prepare_cached("DELETE FROM downloads WHERE id = ?1")?.execute([id])?;
            }
            transaction.commit()
        })
    }

    /// Notes the partial file and the pieces in it that were synced.
    pub(super) fn save_remains(&self, of: PartOf, remains: &Remains) -> Result<(), StateError> {
        let Remains { part, inode, verified_bits, boot_id } = remains;
        let (part, inode) = (part.as_str(), inode.cast_signed());
        self.state.with(|connection| {
            match of {
                PartOf::Download(id) => connection
                    .prepare_cached(
                        "UPDATE downloads SET part = ?2, inode = ?3, verified = ?4, boot_id = ?5 WHERE id = ?1",
                    )?
                    .execute(params![id, part, inode, verified_bits, boot_id]),
                PartOf::File(id, number) => connection
                    .prepare_cached(
                        "INSERT INTO download_parts (download, number, part, inode, verified, boot_id)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT (download, number)
                         DO UPDATE SET part = ?3, inode = ?4, verified = ?5, boot_id = ?6",
                    )?
                    .execute(params![id, to_number(number), part, inode, verified_bits, boot_id]),
            }
            .map(drop)
        })
    }

    /// What was noted last.
    pub(super) fn remains(&self, of: PartOf) -> Result<Option<Remains>, StateError> {
        let (sql, id, number) = match of {
            PartOf::Download(id) => (
                "SELECT part, inode, verified, boot_id FROM downloads WHERE id = ?1 AND ?2 IS NULL",
                id,
                None,
            ),
            PartOf::File(id, number) => (
                "SELECT part, inode, verified, boot_id FROM download_parts WHERE download = ?1 AND number = ?2",
                id,
                Some(to_number(number)),
            ),
        };
        self.state.with(|connection| {
            connection.query_row(sql, params![id, number], read_remains).optional().map(Option::flatten)
        })
    }

    pub(super) fn save_layer(&self, id: DownloadId, layer: &PieceLayer) -> Result<(), StateError> {
        self.state.with(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO download_layers (download, layer) VALUES (?1, ?2)")?
                .execute(params![id, layer.to_bytes()])
                .map(drop)
        })
    }

    /// The piece layer, proven to belong to the file.
    pub(super) fn layer(&self, id: DownloadId, file: &FileId) -> Result<Option<PieceLayer>, StateError> {
        let bytes: Option<Vec<u8>> = self.state.with(|connection| {
            let sql = "SELECT layer FROM download_layers WHERE download = ?1";
            connection.query_row(sql, [id], |row| row.get(0)).optional()
        })?;
        Ok(bytes.and_then(|bytes| PieceLayer::verify(file, &bytes).ok()))
    }
}

fn save_record(transaction: &Transaction<'_>, record: &Record) -> rusqlite::Result<()> {
    let Source { username, name, file, folder, reply_key, certificate_sha256 } = &record.source;
    transaction
        .prepare_cached(
            "INSERT INTO downloads (id, name, root, size, username, reply_key, certificate_sha256, life, path,
             conflict) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET username = ?5, reply_key = ?6, certificate_sha256 = ?7, life = ?8,
             path = ?9",
        )?
        .execute(params![
            record.id,
            name.as_str(),
            file.root.as_bytes(),
            file.size.cast_signed(),
            username.as_str(),
            reply_key.as_bytes(),
            certificate_sha256.as_bytes(),
            serde_json::to_string(&record.life).unwrap_or_default(),
            record.path.as_os_str().as_bytes(),
            to_text(&record.conflict),
        ])?;
    if let Some(summary) = folder {
        save_folder(transaction, record.id, *summary, record.tally)?;
    }
    save_changes(transaction, record.id, &record.changes)
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Option<(Record, Option<Remains>)>> {
    let texts: (String, String, String) = (row.get("name")?, row.get("username")?, row.get("life")?);
    let (root, reply_key, certificate): ([u8; 32], [u8; 32], [u8; 32]) =
        (row.get("root")?, row.get("reply_key")?, row.get("certificate_sha256")?);
    let (Ok(name), Ok(username), Ok(life)) =
        (SafeName::parse(&texts.0), Username::parse(&texts.1), serde_json::from_str(&texts.2))
    else {
        return Ok(None);
    };
    let Ok(file) = FileId::new(Root::from_bytes(root), row.get::<_, i64>("size")?.cast_unsigned()) else {
        return Ok(None);
    };
    let remains = read_remains(row)?;
    let (folder, tally) = read_folder(row)?;
    let record = Record {
        id: row.get("id")?,
        source: Source {
            username,
            name,
            file,
            folder,
            reply_key: ReplyKey::from_bytes(reply_key),
            certificate_sha256: CertificateSha256::from_bytes(certificate),
        },
        conflict: from_text(&row.get::<_, String>("conflict")?).unwrap_or_default(),
        life,
        path: PathBuf::from(OsString::from_vec(row.get("path")?)),
        tally,
        changes: Vec::new(),
    };
    Ok(Some((record, remains)))
}

fn read_folder(row: &Row<'_>) -> rusqlite::Result<(Option<FolderSummary>, Tally)> {
    let Some(files) = row.get::<_, Option<i64>>("files")? else { return Ok((None, Tally::default())) };
    let count = |name: &str| row.get::<_, i64>(name).map(i64::cast_unsigned);
    let summary = FolderSummary { files: files.cast_unsigned(), bytes: count("bytes")? };
    Ok((Some(summary), Tally { finished: count("finished")?, received: count("received")? }))
}

pub(super) fn read_remains(row: &Row<'_>) -> rusqlite::Result<Option<Remains>> {
    let part: Option<String> = row.get("part")?;
    let Some(Ok(part)) = part.as_deref().map(SafeName::parse) else { return Ok(None) };
    Ok(Some(Remains {
        part,
        inode: row.get::<_, i64>("inode")?.cast_unsigned(),
        verified_bits: row.get("verified")?,
        boot_id: row.get("boot_id")?,
    }))
}

impl ToSql for DownloadId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.cast_signed().into())
    }
}

impl FromSql for DownloadId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(|id| Self(id.cast_unsigned()))
    }
}

/// A state under its name in the control API.
pub(super) fn to_text(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

pub(super) fn from_text<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::downloads::step::Step;

    pub(in crate::downloads) fn record(id: u64, life: Life) -> Record {
        Record {
            id: DownloadId(id),
            source: Source {
                username: "alice".parse().unwrap(),
                name: SafeName::parse("song.flac").unwrap(),
                file: FileId::new(Root::from_bytes([3; 32]), 5 << 20).unwrap(),
                folder: None,
                reply_key: ReplyKey::from_bytes([4; 32]),
                certificate_sha256: CertificateSha256::from_bytes([5; 32]),
            },
            conflict: Conflict::Overwrite,
            life,
            path: PathBuf::from("/x/song.flac"),
            tally: Tally::default(),
            changes: Vec::new(),
        }
    }

    pub(in crate::downloads) fn save(store: &DownloadStore, records: Vec<Record>) {
        store.save(&Unsaved { records, ..Unsaved::default() }).unwrap();
    }

    fn life(step: Step) -> Life {
        let mut life = Life::begin(SystemTime::UNIX_EPOCH);
        life.take(SystemTime::UNIX_EPOCH, step);
        life
    }

    #[test]
    fn a_download_is_read_back_as_it_was_saved_and_ids_are_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let remains = Remains {
            part: SafeName::parse("song.flac.part").unwrap(),
            inode: u64::MAX,
            verified_bits: vec![0b10110],
            boot_id: "b".to_owned(),
        };
        {
            let store = DownloadStore::new(State::open(dir.path()).unwrap());
            save(&store, vec![record(1, life(Step::Paused)), record(7, life(Step::Asked))]);
            store.save_remains(PartOf::Download(DownloadId(1)), &remains).unwrap();
            store.save(&Unsaved { forgotten: vec![DownloadId(7)], ..Unsaved::default() }).unwrap();
        }
        let store = DownloadStore::new(State::open(dir.path()).unwrap());
        let records = vec![(record(1, life(Step::Paused)), Some(remains))];
        assert_eq!(store.load().unwrap(), Loaded { records, last_id: 7 });
    }

    #[test]
    fn saving_again_keeps_the_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let store = DownloadStore::new(State::open(dir.path()).unwrap());
        save(&store, vec![record(1, life(Step::Transferring))]);
        let part = SafeName::parse("p.part").unwrap();
        let remains = Remains { part, inode: 9, verified_bits: vec![1], boot_id: String::new() };
        store.save_remains(PartOf::Download(DownloadId(1)), &remains).unwrap();
        save(&store, vec![record(1, life(Step::Asked))]);
        let loaded = store.load().unwrap().records;
        assert_eq!(loaded, [(record(1, life(Step::Asked)), Some(remains.clone()))]);
        assert_eq!(store.remains(PartOf::Download(DownloadId(1))).unwrap(), Some(remains));
        assert_eq!(store.remains(PartOf::Download(DownloadId(2))).unwrap(), None);
    }
}
