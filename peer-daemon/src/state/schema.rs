//! The database's schema as a list of migrations. `user_version` counts those that were applied, so an entry
//! of the list is never changed or removed once it was released: a new one is added at the end.

use rusqlite::Connection;

const MIGRATIONS: &[&str] = &[
    // Identity and name tokens, by name; what the person set at run time; shares added at run time.
    "CREATE TABLE secrets (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
     CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
     CREATE TABLE shares (path BLOB PRIMARY KEY, added_at INTEGER NOT NULL) STRICT;",
    // What hashing a file told, under the stamp that the file had. One row an inode: a file that changed
    // replaces its row. The layer is last, so that reading the other columns does not touch its pages.
    "CREATE TABLE hash_cache (
         device INTEGER NOT NULL, inode INTEGER NOT NULL,
         size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
         root BLOB NOT NULL, layer BLOB NOT NULL,
         PRIMARY KEY (device, inode)) STRICT;",
    // Downloads, with what is needed to go on after a crash: `part` is the partial file's name, `inode` tells it
    // again after its rename, `verified` has a bit for each piece that is on the disk for sure, and `boot_id`
    // says since when. Ids are never used again. The layer is last for the same reason as above.
    "CREATE TABLE downloads (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         name TEXT NOT NULL, root BLOB NOT NULL, size INTEGER NOT NULL,
         username TEXT NOT NULL, reply_key BLOB NOT NULL, certificate_sha256 BLOB NOT NULL,
         state TEXT NOT NULL, reason TEXT, cause TEXT, path BLOB NOT NULL,
         lost_streams INTEGER NOT NULL,
         part TEXT, inode INTEGER, verified BLOB, boot_id TEXT, layer BLOB) STRICT;
     CREATE TABLE download_changes (
         download INTEGER NOT NULL REFERENCES downloads ON DELETE CASCADE,
         at_ms INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT) STRICT;
     CREATE INDEX download_changes_by_download ON download_changes (download);",
    // What happened to a download is kept as steps and no longer as sentences; `life` is where it stands, and
    // `step` what happened, both in JSON. Sentences from before are kept as what was told.
    "ALTER TABLE downloads ADD COLUMN life TEXT NOT NULL DEFAULT '';
     UPDATE downloads SET life = json_object(
         'state', state,
         'step', json_object('step', 'told', 'sentence', reason, 'cause', cause),
         'at', json_object('secs_since_epoch', unixepoch(), 'nanos_since_epoch', 0),
         'setbacks', 0,
         'had_stream', json(iif(lost_streams > 0 OR part IS NOT NULL, 'true', 'false')));
     ALTER TABLE downloads DROP COLUMN state;
     ALTER TABLE downloads DROP COLUMN reason;
     ALTER TABLE downloads DROP COLUMN cause;
     ALTER TABLE downloads DROP COLUMN lost_streams;
     ALTER TABLE download_changes ADD COLUMN step TEXT NOT NULL DEFAULT '';
     ALTER TABLE download_changes ADD COLUMN username TEXT;
     UPDATE download_changes SET step = json_object('step', 'told', 'sentence', reason, 'cause', NULL);
     ALTER TABLE download_changes DROP COLUMN reason;",
    // Layers in a table of their own, so that columns can be added to downloads. What is done where a name is
    // taken. Where the disk of the download folder is mounted, so that nothing is written there while it is not.
    "CREATE TABLE download_layers (
         download INTEGER PRIMARY KEY REFERENCES downloads ON DELETE CASCADE, layer BLOB NOT NULL) STRICT;
     INSERT INTO download_layers SELECT id, layer FROM downloads WHERE layer IS NOT NULL;
     ALTER TABLE downloads DROP COLUMN layer;
     ALTER TABLE downloads ADD COLUMN conflict TEXT NOT NULL DEFAULT 'rename';
     CREATE TABLE download_folder (path BLOB PRIMARY KEY, mount_point BLOB NOT NULL) STRICT;",
    // Usernames that are met with silence. Places of the upload queue, in its order, with no more about a
    // requester than it takes to give it its place back: a row goes when its place does.
    "CREATE TABLE blocks (username TEXT PRIMARY KEY) STRICT;
     CREATE TABLE upload_places (
         position INTEGER PRIMARY KEY, introduction BLOB NOT NULL, username TEXT NOT NULL,
         is_approved INTEGER NOT NULL, kept_until_ms INTEGER NOT NULL) STRICT;",
    // The shares, also those of the configuration, whose folders are offered as a whole.
    "CREATE TABLE whole_shares (path BLOB PRIMARY KEY) STRICT;",
    // Downloads of whole folders: how much is in one and how much of it was there when that was recorded (which files,
    // `verified` has a bit for each), its listing, and its large files on their way. `download_parts` and
    // `downloads` have the same columns for what is on the disk.
    "CREATE TABLE download_folders (
         download INTEGER PRIMARY KEY REFERENCES downloads ON DELETE CASCADE,
         files INTEGER NOT NULL, bytes INTEGER NOT NULL,
         finished INTEGER NOT NULL, received INTEGER NOT NULL) STRICT;
     CREATE TABLE download_listings (
         download INTEGER PRIMARY KEY REFERENCES downloads ON DELETE CASCADE, listing BLOB NOT NULL) STRICT;
     CREATE TABLE download_parts (
         download INTEGER NOT NULL REFERENCES downloads ON DELETE CASCADE, number INTEGER NOT NULL,
         part TEXT NOT NULL, inode INTEGER NOT NULL, verified BLOB NOT NULL, boot_id TEXT NOT NULL,
         PRIMARY KEY (download, number)) STRICT;",
    // With its layer, a large file of a folder can be looked at before its source is asked.
    "ALTER TABLE download_parts ADD COLUMN layer BLOB;",
];

/// The version of the schema that this program makes of any earlier one. A later one is not its own to touch.
#[allow(clippy::cast_possible_truncation, reason = "a list that is written by hand")]
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// Applies what is missing, each migration with its count in one transaction: a crash leaves a version that
/// is complete.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    apply(connection, MIGRATIONS)
}

/// A database as an earlier version of the program left it: with so many migrations.
#[cfg(test)]
pub(super) fn migrate_to(connection: &mut Connection, version: usize) {
    apply(connection, &MIGRATIONS[..version]).unwrap();
}

fn apply(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let applied: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (version, sql) in (1..).zip(migrations).skip(applied as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{MIGRATIONS, apply, migrate};

    #[test]
    fn migrations_are_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = ["CREATE TABLE a (x)"];
        let both = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"];
        for migrations in [&first[..], &both, &both] {
            apply(&mut connection, migrations).unwrap();
        }
        let rows: u32 = connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(apply(&mut connection, &["CREATE TABLE a (x); CREATE TABLE a (x)"]).is_err());
        apply(&mut connection, &["CREATE TABLE a (x)"]).unwrap();
    }

    #[test]
    fn layers_of_downloads_are_kept_in_their_new_table() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &MIGRATIONS[..3]).unwrap();
        let insert = "INSERT INTO downloads (id, name, root, size, username, reply_key, certificate_sha256, state,
                      path, lost_streams, layer) VALUES (7, 'a', x'00', 1, 'u', x'00', x'00', 'paused', x'00', 0, ?1)";
        connection.execute(insert, [[1_u8, 2, 3]]).unwrap();
        migrate(&mut connection).unwrap();
        let sql = "SELECT layer, conflict FROM downloads JOIN download_layers ON download = id WHERE id = 7";
        let kept: (Vec<u8>, String) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(kept, (vec![1, 2, 3], "rename".to_owned()));
    }

    #[test]
    fn the_released_migrations_apply() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
    }
}
