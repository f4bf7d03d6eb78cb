//! What happened to downloads, in the state database: for `peerctl why`, over restarts.

use std::time::{Duration, SystemTime};

use protocol::{Username, control::DownloadState};
use rusqlite::{Row, Transaction, params};

use super::{
    entry::DownloadId,
    step::Step,
    store::{DownloadStore, from_text, to_text},
};
use crate::state::StateError;

/// Changes kept of one download; the oldest go first.
const CHANGES_KEPT: u32 = 200;

/// One thing that happened, and the state that followed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) at: SystemTime,
    pub(super) state: DownloadState,
    pub(super) step: Step,
    /// The source, where it had a part in it.
    pub(super) username: Option<Username>,
}

impl DownloadStore {
    /// What happened to a download, the oldest first. Blocks.
    pub(super) fn changes(&self, id: DownloadId) -> Result<Vec<Change>, StateError> {
        self.state().with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at_ms, state, step, username FROM download_changes WHERE download = ?1 ORDER BY rowid",
            )?;
            // What can't be read, being from a later version, is left out.
            let changes = statement.query_map([id], read_change)?.filter_map(Result::transpose);
            changes.collect()
        })
    }
}

pub(super) fn save_changes(
    transaction: &Transaction<'_>,
    id: DownloadId,
    changes: &[Change],
) -> rusqlite::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    for change in changes {
        let at = change.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        transaction
            .prepare_cached(
                "INSERT INTO download_changes (download, at_ms, state, step, username)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                id,
                i64::try_from(at).unwrap_or(i64::MAX),
                to_text(&change.state),
                serde_json::to_string(&change.step).unwrap_or_default(),
                change.username.as_ref().map(Username::as_str),
            ])?;
    }
    transaction
        .prepare_cached(
            "DELETE FROM download_changes WHERE download = ?1 AND rowid NOT IN (SELECT rowid FROM
             download_changes WHERE download = ?1 ORDER BY rowid DESC LIMIT ?2)",
        )?
        .execute(params![id, CHANGES_KEPT])
        .map(drop)
}

fn read_change(row: &Row<'_>) -> rusqlite::Result<Option<Change>> {
    let (at, state, step): (u64, String, String) =
        (row.get::<_, i64>("at_ms")?.cast_unsigned(), row.get("state")?, row.get("step")?);
    let username: Option<String> = row.get("username")?;
    let (Some(state), Ok(step)) = (from_text(&state), serde_json::from_str(&step)) else { return Ok(None) };
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(at);
    let username = username.and_then(|username| Username::parse(&username).ok());
    Ok(Some(Change { at, state, step, username }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        downloads::{
            life::Life,
            store::tests::{record, save},
        },
        state::State,
    };

    #[test]
    fn only_so_many_changes_are_kept_and_the_newest_last() {
        let dir = tempfile::tempdir().unwrap();
        let store = DownloadStore::new(State::open(dir.path()).unwrap());
        let id = DownloadId(1);
        let start = SystemTime::UNIX_EPOCH;
        let change = |second| Change {
            at: start + Duration::from_secs(second),
            state: DownloadState::Requesting,
            step: Step::Asked,
            username: Some("anna".parse().unwrap()),
        };
        for hundred in 0..3 {
            let changes = (hundred * 100..hundred * 100 + 100).map(change).collect();
            save(&store, vec![super::super::store::Record { changes, ..record(1, Life::begin(start)) }]);
        }
        let kept = store.changes(id).unwrap();
        assert_eq!(kept.len(), CHANGES_KEPT as usize);
        assert_eq!(kept.last(), Some(&change(299)));
        assert_eq!(store.changes(DownloadId(2)).unwrap(), []);
    }
}
