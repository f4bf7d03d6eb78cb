//! The queue's places over restarts: whoever sends its introduction again in time has its old position, also
//! after a crash of this daemon.
//!
//! Kept is what that takes: the id, the username, the order, a person's word, and until when. Neither addresses
//! nor seals nor what was asked for: they come again with the introduction. A row goes when its place does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::{IntroductionId, Username, limits::PLACE_LIFETIME};
use rusqlite::params;
use tracing::warn;

use crate::state::{State, StateError};

/// One place, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: IntroductionId,
    pub(crate) username: Username,
    pub(crate) is_approved: bool,
    /// None for the one in the slot: it is kept for its time from the next start on.
    pub(crate) until: Option<Instant>,
}

/// Both clocks at one moment: places are kept by the one that does not jump, and written by the one that goes on
/// while the daemon does not run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    pub(crate) fn read() -> Self {
        Self { now: crate::clock::now(), wall: crate::clock::wall() }
    }

    fn to_millis(self, at: Instant) -> i64 {
        let since_epoch = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = since_epoch + at.saturating_duration_since(self.now);
        i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
    }

    /// None when it is past. A clock that was set back does not make a place last longer than one does.
    fn at_millis(self, millis: i64) -> Option<Instant> {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).ok()?);
        let left = at.duration_since(self.wall).ok()?;
        Some(self.now + left.min(PLACE_LIFETIME))
    }
}

/// Where places are kept. Its methods block.
#[derive(Clone)]
pub(crate) struct PlaceStore {
    state: State,
}

impl PlaceStore {
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// In order, each with until when it is kept; those that lapsed meanwhile left out.
    pub(crate) fn load(&self, moment: Moment) -> Result<Vec<(Kept, Instant)>, StateError> {
        let rows: Vec<(i64, Vec<u8>, String, bool, i64)> = self.state.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT position, introduction, username, is_approved, kept_until_ms FROM upload_places
                 ORDER BY position",
            )?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
            rows.collect()
        })?;
        Ok(rows.into_iter().filter_map(|row| read(row, moment)).collect())
    }

    /// In place of all that were kept.
    pub(crate) fn save(&self, places: &[Kept], moment: Moment) -> Result<(), StateError> {
        self.state.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM upload_places", [])?;
            let mut next = 1;
            for place in places {
                let position = if place.until.is_none() { IN_SLOT } else { next };
                next = next.max(position + 1);
                let kept_until = moment.to_millis(place.until.unwrap_or(moment.now));
                transaction
                    .prepare_cached(
                        "INSERT INTO upload_places
                             (position, introduction, username, is_approved, kept_until_ms)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![
                        position,
                        place.id.as_bytes(),
                        place.username.as_str(),
                        place.is_approved,
                        kept_until
                    ])?;
            }
            transaction.commit()
        })
    }
}

/// The position of the place that was being served.
const IN_SLOT: i64 = 0;

/// A row that can't be read is of another version, and costs its requester its place.
fn read(row: (i64, Vec<u8>, String, bool, i64), moment: Moment) -> Option<(Kept, Instant)> {
    let (position, id, username, is_approved, millis) = row;
    let Ok(id) = <[u8; 16]>::try_from(id.as_slice()) else {
        warn!("a place of the upload queue can't be read");
        return None;
    };
    let id = IntroductionId::from_bytes(id);
    let username = Username::parse(&username).ok()?;
    let kept_until =
        if position == IN_SLOT { moment.now + PLACE_LIFETIME } else { moment.at_millis(millis)? };
    Some((Kept { id, username, is_approved, until: Some(kept_until) }, kept_until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment { now: crate::clock::now(), wall: UNIX_EPOCH + Duration::from_secs(1_000_000) }
    }

    fn kept(n: u8, until: Option<Instant>) -> Kept {
        let username = format!("user{n}").parse().unwrap();
        Kept { id: IntroductionId::from_bytes([n; 16]), username, is_approved: n > 2, until }
    }

    #[test]
    fn places_come_back_in_order_as_long_as_they_last() {
        let dir = tempfile::tempdir().unwrap();
        let store = PlaceStore::new(State::open(dir.path()).unwrap());
        let before = moment();
        let in_seconds = |seconds| Some(before.now + Duration::from_secs(seconds));
        let all =
            [kept(9, None), kept(2, in_seconds(100)), kept(1, in_seconds(20)), kept(3, in_seconds(180))];
        store.save(&all, before).unwrap();

        // Another process, whose clock began somewhere else.
        let later = Moment {
            now: before.now + Duration::from_secs(7_777),
            wall: before.wall + Duration::from_secs(50),
        };
        let loaded = store.load(later).unwrap();
        let shape: Vec<_> = loaded
            .iter()
            .map(|(place, until)| (place.id.as_bytes()[0], place.is_approved, (*until - later.now).as_secs()))
            .collect();
        assert_eq!(shape, [(9, true, 180), (2, false, 50), (3, true, 130)]);

        store.save(&all[1..2], later).unwrap();
        assert_eq!(store.load(before).unwrap().len(), 1);
        store.save(&[], later).unwrap();
        assert!(store.load(later).unwrap().is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_place_last_longer() {
        let dir = tempfile::tempdir().unwrap();
        let store = PlaceStore::new(State::open(dir.path()).unwrap());
        let before = moment();
        store.save(&[kept(1, Some(before.now + PLACE_LIFETIME))], before).unwrap();
        let earlier = Moment { wall: before.wall - Duration::from_hours(25), ..before };
        assert_eq!(store.load(earlier).unwrap()[0].1, before.now + PLACE_LIFETIME);
    }
}
