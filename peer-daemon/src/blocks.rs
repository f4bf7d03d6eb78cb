//! The usernames that this peer wants nothing to do with.
//!
//! To whoever is blocked, this peer looks as if it were not there: introductions are passed over as those that
//! can't be opened are, and nothing tells the two apart. What blocked peers answer to searches is not shown.
//! Files that are being fetched from them go on: the person asked for those by name.
//!
//! A username is all that others know of a peer, and whoever is blocked may come back under another one. So a
//! name is blocked with all that look like it, by the rule that keeps the coordinator from giving them out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Username;
use thiserror::Error;

use crate::state::{State, StateError};

/// More than a person blocks by hand; looking all of them through costs nothing yet.
const BLOCKS_MAX: usize = 1_000;

#[derive(Debug, Error)]
pub(crate) enum BlockError {
    #[error("at most {BLOCKS_MAX} usernames can be blocked; take others off: peerctl block rm")]
    Full,
    #[error("this username is not blocked")]
    Unknown,
    #[error(transparent)]
    State(#[from] StateError),
}

/// The list. Clones share it. Its changes block: they are kept on the disk.
#[derive(Clone)]
pub(crate) struct Blocks {
    state: State,
    /// By name. A plain mutex: held for a look or a change.
    list: Arc<Mutex<Vec<Blocked>>>,
}

struct Blocked {
    username: Username,
    skeleton: String,
}

impl Blocked {
    fn new(username: Username) -> Self {
        Self { skeleton: username.skeleton(), username }
    }
}

impl Blocks {
    pub(crate) fn load(state: State) -> Result<Self, StateError> {
        let names = stored(&state)?;
        let list = names.iter().filter_map(|name| Username::parse(name).ok()).map(Blocked::new).collect();
        Ok(Self { state, list: Arc::new(Mutex::new(list)) })
    }

    /// Whether this name, or one that looks like it, is on the list.
    pub(crate) fn contain(&self, username: &Username) -> bool {
        let list = self.lock();
        // Mostly there are none, and a skeleton takes a while.
        !list.is_empty() && {
            let skeleton = username.skeleton();
            list.iter().any(|blocked| blocked.skeleton == skeleton)
        }
    }

    pub(crate) fn names(&self) -> Vec<Username> {
        self.lock().iter().map(|blocked| blocked.username.clone()).collect()
    }

    /// It is no error if the name is on the list already, or one that looks like it.
    pub(crate) fn add(&self, username: Username) -> Result<(), BlockError> {
        let mut list = self.lock();
        let blocked = Blocked::new(username);
        if list.iter().any(|other| other.skeleton == blocked.skeleton) {
            return Ok(());
        }
        if list.len() >= BLOCKS_MAX {
            return Err(BlockError::Full);
        }
        store(&self.state, &blocked.username)?;
        list.push(blocked);
        list.sort_by(|one, other| one.username.cmp(&other.username));
        Ok(())
    }

    /// Takes the name off, or the one that looks like it.
    pub(crate) fn remove(&self, username: &Username) -> Result<(), BlockError> {
        let mut list = self.lock();
        let skeleton = username.skeleton();
        let (gone, kept) = list.drain(..).partition::<Vec<_>, _>(|blocked| blocked.skeleton == skeleton);
        *list = kept;
        if gone.is_empty() {
            return Err(BlockError::Unknown);
        }
        for blocked in gone {
            forget(&self.state, &blocked.username)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Blocked>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stored(state: &State) -> Result<Vec<String>, StateError> {
    state.with(|connection| {
        let mut statement = connection.prepare_cached("SELECT username FROM blocks ORDER BY username")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    })
}

fn store(state: &State, username: &Username) -> Result<(), StateError> {
    state.with(|connection| {
        connection
            .prepare_cached("INSERT OR REPLACE INTO blocks (username) VALUES (?1)")?
            .execute([username.as_str()])
            .map(drop)
    })
}

fn forget(state: &State, username: &Username) -> Result<(), StateError> {
    state.with(|connection| {
        connection
            .prepare_cached("DELETE FROM blocks WHERE username = ?1")?
            .execute([username.as_str()])
            .map(drop)
    })
}

#[cfg(test)]
mod tests {
    use protocol::Username;

    use super::{BLOCKS_MAX, BlockError, Blocks};
    use crate::state::State;

    fn name(text: &str) -> Username {
        text.parse().unwrap()
    }

    fn names(blocks: &Blocks) -> Vec<String> {
        blocks.names().into_iter().map(String::from).collect()
    }

    #[test]
    fn a_name_is_blocked_with_its_look_alikes_over_restarts_until_it_is_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path()).unwrap();
        let blocks = Blocks::load(state.clone()).unwrap();
        assert!(!blocks.contain(&name("paul1")));
        for text in ["paul1", "anna", "Anna", "pauII"] {
            blocks.add(name(text)).unwrap();
        }
        assert_eq!(names(&blocks), ["anna", "paul1"], "a look-alike takes no place of its own");

        let blocks = Blocks::load(state.clone()).unwrap();
        for alike in ["paul1", "paull", "PAUL1", "pauIl", "ANNA"] {
            assert!(blocks.contain(&name(alike)), "{alike}");
        }
        assert!(!blocks.contain(&name("paula")));

        blocks.remove(&name("PauIl")).unwrap();
        assert!(matches!(blocks.remove(&name("paul1")), Err(BlockError::Unknown)));
        assert_eq!(names(&Blocks::load(state).unwrap()), ["anna"]);
        assert!(!blocks.contain(&name("paul1")) && blocks.contain(&name("anna")));
    }

    #[test]
    fn the_list_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let blocks = Blocks::load(State::open(dir.path()).unwrap()).unwrap();
        // Digits that look like no letter, so that no two of them are alike.
        let number = |index: usize| name(&format!("user{}", format!("{index:o}").replace(['0', '1'], "8x")));
        let mut added = 0;
        for index in 0.. {
            match blocks.add(number(index)) {
                Ok(()) => added = blocks.names().len(),
                Err(error) => {
                    assert!(matches!(error, BlockError::Full));
                    break;
                }
            }
        }
        assert_eq!(added, BLOCKS_MAX);
        assert!(blocks.add(blocks.names()[0].clone()).is_ok(), "one that is there needs no room");
    }
}
