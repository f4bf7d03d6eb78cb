//! Which version of the schema a database has, told without touching it: what a newer program wrote is not ours to
//! open, for even opening it checkpoints its log and sets its journal's mode.

use std::{ffi::OsString, fs, io, os::unix::fs::FileExt as _, path::Path};

use rusqlite::{Connection, OpenFlags};

/// Of the database's header (SQLite's file format, section 1.3): its first bytes, and where `user_version` is, a
/// big-endian number of 32 bits.
const MAGIC: &[u8] = b"SQLite format 3\0";
const USER_VERSION_AT: usize = 60;

/// `None` where there is no database yet, or none that can be read: opening it tells why.
pub(super) fn of(database: &Path) -> rusqlite::Result<Option<u32>> {
    // A daemon that was killed leaves its last transactions in the log. Read-only, SQLite looks there and lets the
    // log be; without one it would leave an empty one behind.
    if has_log(database) {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        return connection.pragma_query_value(None, "user_version", |row| row.get(0)).map(Some);
    }
    Ok(in_header(database).ok().flatten())
}

fn has_log(database: &Path) -> bool {
    let mut log = OsString::from(database);
    log.push("-wal");
    fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

fn in_header(database: &Path) -> io::Result<Option<u32>> {
    let mut header = [0; USER_VERSION_AT + 4];
    fs::File::open(database)?.read_exact_at(&mut header, 0)?;
    let (begin, version) = header.split_at(USER_VERSION_AT);
    let version = version.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    Ok(version.filter(|_| begin.starts_with(MAGIC)))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use rusqlite::Connection;

    use crate::state::{State, StateError, schema::KNOWN};

    /// All that is in a state directory, but for the scratch memory of SQLite's readers.
    fn content(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut content: Vec<_> = files
            .filter(|path| !path.to_string_lossy().ends_with("-shm"))
            .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
            .collect();
        content.sort();
        content
    }

    fn write_version(connection: &Connection, version: u32) {
        connection.pragma_update(None, "user_version", version).unwrap();
    }

    #[track_caller]
    fn is_refused_and_left_alone(dir: &Path) {
        let before = content(dir);
        let error = State::open(dir).err().expect("a newer database was opened");
        assert!(matches!(error, StateError::Newer { version, .. } if version == KNOWN + 1), "{error}");
        let sentence = error.to_string();
        for part in [format!("schema is {}", KNOWN + 1), format!("up to {KNOWN}"), "--state-dir".to_owned()] {
            assert!(sentence.contains(&part), "{sentence}");
        }
        assert!(content(dir) == before, "the newer state was touched");
    }

    #[test]
    fn what_a_newer_program_ended_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(State::open(dir.path()).unwrap());
        let connection = Connection::open(dir.path().join("state.db")).unwrap();
        write_version(&connection, KNOWN + 1);
        drop(connection);
        is_refused_and_left_alone(dir.path());
    }

    #[test]
    fn so_is_what_a_newer_program_left_in_its_log_when_it_was_killed() {
        let (dir, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(State::open(dir.path()).unwrap());
        let connection = Connection::open(dir.path().join("state.db")).unwrap();
        write_version(&connection, KNOWN + 1);
        // As they are while it runs: the version is in the log only.
        for file in ["lock", "state.db", "state.db-wal"] {
            fs::copy(dir.path().join(file), killed.path().join(file)).unwrap();
        }
        assert!(fs::read(killed.path().join("state.db-wal")).unwrap().len() > 1);
        drop(connection);
        is_refused_and_left_alone(killed.path());
    }
}
