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
];

/// The database was written by a newer version of the program.
pub(super) struct Newer;

/// Applies what is missing, each migration with its count in one transaction: a crash leaves a version that
/// is complete.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<Result<(), Newer>> {
    apply(connection, MIGRATIONS)
}

fn apply(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<Result<(), Newer>> {
    let applied: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = migrations.get(applied as usize..) else { return Ok(Err(Newer)) };
    for (version, sql) in (applied + 1..).zip(missing) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{apply, migrate};

    #[test]
    fn migrations_are_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = ["CREATE TABLE a (x)"];
        let both = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"];
        for migrations in [&first[..], &both, &both] {
            assert!(apply(&mut connection, migrations).unwrap().is_ok());
        }
        let rows: u32 = connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        assert!(apply(&mut connection, &first).unwrap().is_err(), "a newer database was accepted");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(apply(&mut connection, &["CREATE TABLE a (x); CREATE TABLE a (x)"]).is_err());
        assert!(apply(&mut connection, &["CREATE TABLE a (x)"]).unwrap().is_ok());
    }

    #[test]
    fn the_released_migrations_apply() {
        let mut connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut connection).unwrap().is_ok());
    }
}
