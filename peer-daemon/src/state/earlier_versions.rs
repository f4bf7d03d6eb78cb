//! A state of every earlier version goes on with all that was in it. Downloads, whose tables changed their form on the
//! way, have a test of their own beside their store.

use super::{State, schema::KNOWN};

/// A row as a version wrote it, and how it is read today.
struct Kept {
    /// The first version that had the table.
    since: u32,
    insert: &'static str,
    select: &'static str,
    read: &'static str,
}

const KEPT: &[Kept] = &[
    Kept {
        since: 1,
        insert: "INSERT INTO secrets VALUES ('identity', x'0102')",
        select: "SELECT name || hex(bytes) FROM secrets",
        read: "identity0102",
    },
    Kept {
        since: 1,
        insert: "INSERT INTO settings VALUES ('uploads', 'off')",
        select: "SELECT name || value FROM settings",
        read: "uploadsoff",
    },
    Kept {
        since: 1,
        insert: "INSERT INTO shares VALUES (CAST('/music' AS BLOB), 7)",
        select: "SELECT CAST(path AS TEXT) || added_at FROM shares",
        read: "/music7",
    },
    Kept {
        since: 2,
        insert: "INSERT INTO hash_cache VALUES (1, 2, 3, 4, 5, x'0a', x'0b')",
        select: "SELECT device || inode || size || mtime_ns || ctime_ns || hex(root) || hex(layer) FROM hash_cache",
        read: "123450A0B",
    },
    Kept {
        since: 5,
        insert: "INSERT INTO download_folder VALUES (CAST('/d' AS BLOB), CAST('/' AS BLOB))",
        select: "SELECT CAST(path AS TEXT) || CAST(mount_point AS TEXT) FROM download_folder",
        read: "/d/",
    },
    Kept {
        since: 6,
        insert: "INSERT INTO blocks VALUES ('mallory')",
        select: "SELECT username FROM blocks",
        read: "mallory",
    },
    Kept {
        since: 6,
        insert: "INSERT INTO upload_places VALUES (1, x'0c', 'alice', 1, 9)",
        select: "SELECT position || hex(introduction) || username || is_approved || kept_until_ms FROM upload_places",
        read: "10Calice19",
    },
];

#[test]
fn what_any_earlier_version_kept_is_there_in_this_one() {
    // The first is a database that was made and never got its tables.
    for version in 0..=KNOWN {
        let dir = tempfile::tempdir().unwrap();
        let kept: Vec<_> = KEPT.iter().filter(|kept| kept.since <= version).collect();
        let rows: Vec<_> = kept.iter().map(|kept| kept.insert).collect();
        State::leave_earlier_version(dir.path(), version as usize, &rows.join(";"));
        let state = State::open(dir.path()).unwrap();
        state
            .with(|connection| {
                let now: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
                assert_eq!(now, KNOWN, "from version {version}");
                for kept in &kept {
                    let read: String = connection.query_row(kept.select, [], |row| row.get(0))?;
                    assert_eq!(read, kept.read, "from version {version}");
                }
                // All tables are there, also those that the earlier version had not.
                KEPT.iter().try_for_each(|kept| connection.prepare(kept.select).map(drop))
            })
            .unwrap();
    }
}
