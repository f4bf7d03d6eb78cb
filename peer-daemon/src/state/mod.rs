//! The state directory: an SQLite database that survives crashes, for one daemon at a time.
//!
//! Everything that a daemon knows across restarts is here: its identity, settings and shares, and what hashing
//! its files told. Tables are made in [`schema`]; each part of the daemon keeps the statements on its own
//! tables beside itself and runs them through [`State::with`].
//!
//! All methods are synchronous and short (a few rows each). Async code runs them through [`State::call`], which
//! takes them off the async threads.
//!
//! Durability: WAL with `synchronous = NORMAL`. A crash of the daemon loses nothing; a power cut may lose the
//! last transactions, but never tears one. No record here claims more than what was on the disk before it: a
//! lost one costs a file hashed or a few pieces fetched again, or a new identity, and no more. `FULL` would pay
//! a sync for each of thousands of hashed files.

#[cfg(test)]
mod earlier_versions;
mod schema;
mod version;

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use thiserror::Error;
use zeroize::Zeroizing;

const DATABASE: &str = "state.db";
const LOCK: &str = "lock";
/// Nobody else writes while the lock is held; a backup or a curious `sqlite3` may read for a moment.
const BUSY_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum StateError {
    #[error("the state directory {} is in use by another daemon: stop that one, or name another directory with --state-dir", dir.display())]
    InUse { dir: PathBuf },
    #[error("the state directory {} can't be used: {source}", dir.display())]
    Directory { dir: PathBuf, source: io::Error },
    #[error(
        "the state database {} is damaged: move it away and start again; \
         shared files are then hashed again, and settings and the identity made anew", path.display()
    )]
    Damaged { path: PathBuf },
    #[error(
        "the state database {} was written by a newer peer-daemon (its schema is {version}, and this one knows \
         those up to {}): start that one, or name another directory with --state-dir",
        path.display(), schema::KNOWN
    )]
    Newer { path: PathBuf, version: u32 },
    #[error("there is no space left for the state database {}", path.display())]
    NoSpace { path: PathBuf },
    #[error("the state database {} can't be used: {source}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    /// The process is about to end, or the work panicked.
    #[error("the work on the state database was given up")]
    GivenUp,
}

/// A handle to the state directory, cheap to clone. The directory is released with the last one.
#[derive(Clone)]
pub struct State {
    shared: Arc<Shared>,
}

struct Shared {
    /// A plain mutex: SQLite writes one at a time anyway, and no work on it waits for anything but the disk.
    connection: Mutex<Connection>,
    path: PathBuf,
    /// Locked as long as it is open; declared after the connection, and so closed after it.
    _lock: File,
}

impl State {
    /// Opens the directory, made if missing, for this process alone.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let unusable = |source| StateError::Directory { dir: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        let lock = open_private(&dir.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse { dir: dir.to_owned() },
            TryLockError::Error(source) => unusable(source),
        })?;
        let path = dir.join(DATABASE);
        let version = version::of(&path).map_err(|error| classify(&path, error))?;
        if let Some(version) = version.filter(|version| *version > schema::KNOWN) {
            return Err(StateError::Newer { path, version });
        }
        // SQLite gives its other files the mode of this one.
        open_private(&path).map_err(unusable)?;
        let mut connection = connect(&path).map_err(|error| classify(&path, error))?;
        schema::migrate(&mut connection).map_err(|error| classify(&path, error))?;
        let shared = Shared { connection: Mutex::new(connection), path, _lock: lock };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Opens what a program of this version left there; `None` for what is missing, or would have to be made or brought
    /// up to date.
    pub(crate) fn open_as_it_is(dir: &Path) -> Result<Option<Self>, StateError> {
        let path = dir.join(DATABASE);
        match version::of(&path).map_err(|error| classify(&path, error))? {
            Some(version) if version < schema::KNOWN => Ok(None),
            None if !path.exists() => Ok(None),
            // Of a newer program, or damaged, it is an error.
            _ => Self::open(dir).map(Some),
        }
    }

    /// Leaves a database in the directory as an earlier version of the program did, with `rows` in it.
    #[cfg(test)]
    pub(crate) fn leave_earlier_version(dir: &Path, version: usize, rows: &str) {
        let mut connection = connect(&dir.join(DATABASE)).unwrap();
        schema::migrate_to(&mut connection, version);
        connection.execute_batch(rows).unwrap();
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        self.shared.path.parent().unwrap_or(&self.shared.path)
    }

    /// Runs synchronous work on the state off the async threads:
    /// `state.call(|state| state.secret("identity")).await`.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let state = self.clone();
        tokio::task::spawn_blocking(move || work(&state)).await.unwrap_or(Err(StateError::GivenUp))
    }

    /// Runs statements on the database, alone. Blocks; for the parts of the daemon that have tables.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        // After a panic inside, the connection is as good as before: an open transaction was rolled back.
        let mut connection = self.shared.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| classify(&self.shared.path, error))
    }

    /// Keeps bytes that nobody else may read, in place of earlier ones of that name.
    pub fn put_secret(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.with(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO secrets (name, bytes) VALUES (?1, ?2)")?
                .execute(params![name, bytes])
                .map(drop)
        })
    }

    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT bytes FROM secrets WHERE name = ?1")?
                .query_row([name], |row| row.get(0).map(Zeroizing::new))
                .optional()
        })
    }

    /// Forgets bytes; it is no error if there are none.
    pub fn remove_secret(&self, name: &str) -> Result<(), StateError> {
        self.with(|connection| {
            connection.prepare_cached("DELETE FROM secrets WHERE name = ?1")?.execute([name]).map(drop)
        })
    }
}

/// Opens a file for this user alone, made if missing, tightened if it was there with a wider mode.
fn open_private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A key that was replaced does not stay readable in the file's free space.
    connection.pragma_update(None, "secure_delete", true)?;
    // Found now, damage stops the start with its name; found later, it would be one error among many.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(connection) } else { Err(damaged()) }
}

fn damaged() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None)
}

fn classify(path: &Path, source: rusqlite::Error) -> StateError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StateError::Damaged { path },
        Some(ErrorCode::DiskFull) => StateError::NoSpace { path },
        _ => StateError::Database { path, source },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::{DATABASE, State, StateError};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_outlive_the_handle() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        state.put_secret("identity", b"first").unwrap();
        state.put_secret("identity", b"second").unwrap();
        state.put_secret("other", b"").unwrap();
        drop(state);
        let state = State::open(dir.path()).unwrap();
        assert_eq!(state.secret("identity").unwrap().unwrap().as_slice(), b"second");
        state.remove_secret("identity").unwrap();
        assert!(state.secret("identity").unwrap().is_none());
        assert_eq!(state.secret("other").unwrap().unwrap().as_slice(), b"");
    }

    #[tokio::test]
    async fn async_code_calls_through_a_blocking_thread() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        state.call(|state| state.put_secret("identity", b"bytes")).await.unwrap();
        let read = state.call(|state| state.secret("identity")).await.unwrap();
        assert_eq!(read.unwrap().as_slice(), b"bytes");
    }

    #[test]
    fn a_directory_has_one_daemon_and_the_error_names_it_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let first = State::open(dir.path()).unwrap();
        let Err(error) = State::open(dir.path()) else { panic!("opened twice") };
        let text = error.to_string();
        assert!(text.contains(&dir.path().display().to_string()) && text.contains("--state-dir"), "{text}");
        drop(first);
        State::open(dir.path()).unwrap();
    }

    #[test]
    fn everything_is_the_users_alone_from_the_start() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        let state = State::open(&dir).unwrap();
        state.put_secret("identity", b"bytes").unwrap();
        assert_eq!(mode(&dir), 0o700);
        let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 3, "database, write-ahead log and lock: {files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }

    #[test]
    fn a_wider_mode_is_tightened() {
        let dir = tempfile::tempdir().unwrap();
        drop(State::open(dir.path()).unwrap());
        let database = dir.path().join(DATABASE);
        fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
        let _state = State::open(dir.path()).unwrap();
        assert_eq!(mode(&database), 0o600);
    }

    #[test]
    fn a_replaced_secret_is_not_left_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let canary = [b"CANARY".as_slice(); 400].concat();
        state.put_secret("identity", &canary).unwrap();
        state.put_secret("identity", b"new").unwrap();
        drop(state);
        let bytes = fs::read(dir.path().join(DATABASE)).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"CANARYCANARY"));
    }

    #[test]
    fn a_damaged_database_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        for number in 0..100 {
            state.put_secret(&number.to_string(), &[7; 3000]).unwrap();
        }
        drop(state);
        let database = dir.path().join(DATABASE);
        let whole = fs::read(&database).unwrap();
        let mut hole = whole.clone();
        let middle = whole.len() / 2 / 4096 * 4096;
        hole[middle..middle + 8192].fill(0);
        let zeroed = vec![0; whole.len()];
        let torn = whole[..whole.len() / 2].to_vec();
        let foreign = b"not a database at all, but some text".repeat(100);
        for (what, bytes) in [("hole", hole), ("zeroed", zeroed), ("torn", torn), ("foreign", foreign)] {
            fs::write(&database, &bytes).unwrap();
            match State::open(dir.path()) {
                Err(error @ StateError::Damaged { .. }) => {
                    assert!(error.to_string().contains(&database.display().to_string()), "{error}");
                }
                Err(other) => panic!("{what}: {other}"),
                Ok(_) => panic!("{what}: opened"),
            }
            assert_eq!(fs::read(&database).unwrap(), bytes, "{what}: the file was touched");
        }
    }
}
