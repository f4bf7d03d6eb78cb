//! Downloads that wait for the disk: held back before a stream is asked for, or stopped under way, and let go
//! once the disk takes them.
//!
//! ```text
//! queued ─▶ admit: room? ─ yes ─▶ requesting … transferring ─▶ finished
//!    ▲            │ no                             │ full, read-only, removed, not mounted
//!    │            ▼                                ▼
//!    └──────── paused, with the disk's cause ◀─────┘
//!      the disk takes it again, or the person says resume
//! ```
//!
//! A pause with a cause is the disk's, one without is a person's; only the former ends by itself.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use cap_std::fs::Dir;

use super::{
    Downloads,
    assemble::AssembleError,
    batch::{Batch, Item},
    disk_trouble::{DiskTrouble, Room},
    entry::DownloadId,
    failure::Failure,
    folder::DownloadFolder,
    store::{PartOf, Remains},
};
use crate::{clock, state::StateError};

/// How often the disk is looked at for those that wait for it, and only while some do. A look is a few system
/// calls; a person who made room sees it go on while still looking.
const HELD_LOOK: Duration = Duration::from_secs(3);
/// How often the disk is looked at while a file is written: what is lost when the folder goes is at most this
/// long a transfer.
const RUNNING_LOOK: Duration = Duration::from_secs(2);
/// A disk that refuses what it seemed to have room for (a quota) is tried again after so long, doubled each time,
const REFUSED_WAIT: Duration = Duration::from_secs(10);
/// up to so long.
const REFUSED_WAIT_MAX: Duration = Duration::from_mins(10);

impl Downloads {
    /// Leaves those in a batch that the disk has room for. The others are held.
    pub(super) async fn admit(&self, batch: &mut Batch) {
        let surveyed = self.survey().await;
        for item in batch.wanted() {
            if let Err(trouble) = self.fits(&surveyed, item.id) {
                self.hold(batch, item, &trouble).await;
            }
        }
        batch.drop_unwanted();
    }

    /// Holds one that there is no room for any more. Tells whether there is.
    pub(super) async fn is_admitted(&self, batch: &Batch, item: &Item) -> bool {
        let admitted = self.must_have_room(item.id).await;
        if let Err(trouble) = &admitted {
            self.hold(batch, item, trouble).await;
        }
        admitted.is_ok()
    }

    /// Holds a download whose failure is the disk's doing and passes. Tells whether it was.
    pub(super) async fn held_for(&self, batch: &Batch, item: &Item, failure: &Failure) -> bool {
        let trouble = match failure {
            Failure::DiskTrouble(trouble) => Some(trouble.clone()),
            Failure::State(StateError::NoSpace { .. }) => {
                Some(DiskTrouble::NoSpaceForState(failure.to_string()))
            }
            Failure::Disk { source } => self.trouble_behind(source, item.id).await,
            _ => None,
        };
        match &trouble {
            Some(trouble) => self.hold(batch, item, trouble).await,
            // Whoever removed the partial file did not want it: a retry begins with another one.
            None if matches!(failure, Failure::Disk { source: AssembleError::Gone(_) }) => {
                let remains = self.recorded(item.id).await;
                batch.change(item, |entry| entry.forget_part(remains));
            }
            None => {}
        }
        trouble.is_some()
    }

    /// Lets go what is held, once the disk takes it; until the daemon ends.
    pub(super) async fn watch_held(self) {
        let token = self.shared.parts.token.clone();
        let mut patience = Patience::default();
        loop {
            let is_any_held = !self.book().held().is_empty();
            tokio::select! {
                () = tokio::time::sleep(HELD_LOOK), if is_any_held => {}
                () = self.shared.held.notified(), if !is_any_held => continue,
                () = token.cancelled() => return,
            }
            let surveyed = self.survey().await;
            let held = self.book().held();
            for id in held {
                match self.fits(&surveyed, id) {
                    Ok(()) if patience.is_over(id, clock::now()) => self.let_go(id),
                    Ok(()) => {}
                    Err(trouble) => {
                        patience.forget(id);
                        self.retell(id, &trouble);
                    }
                }
            }
        }
    }

    /// Bytes that the download folder takes, or in a sentence why none.
    pub(crate) async fn free_space(&self) -> Result<u64, String> {
        self.survey().await.map(|room| room.free).map_err(|trouble| trouble.to_string())
    }

    async fn survey(&self) -> Result<Room, DiskTrouble> {
        let folder = Arc::clone(&self.shared.folder);
        let surveying = self.shared.parts.tracker.spawn_blocking(move || folder.survey());
        let error = |error: tokio::task::JoinError| DiskTrouble::Unusable {
            folder: self.shared.parts.directory.clone(),
            error: error.to_string(),
        };
        surveying.await.map_err(error)?
    }

    fn fits(&self, surveyed: &Result<Room, DiskTrouble>, id: DownloadId) -> Result<(), DiskTrouble> {
        let room = surveyed.as_ref().map_err(Clone::clone)?;
        room.must_fit(self.missing(id))
    }

    pub(super) fn received(&self, id: DownloadId) -> u64 {
        self.book().get_mut(id).map_or(0, |entry| entry.received())
    }

    fn missing(&self, id: DownloadId) -> u64 {
        self.book().get_mut(id).map_or(0, |entry| entry.missing())
    }

    async fn trouble_behind(&self, error: &AssembleError, id: DownloadId) -> Option<DiskTrouble> {
        let room = match self.survey().await {
            Ok(room) => room,
            Err(trouble) => return Some(trouble),
        };
        match error {
            AssembleError::NoSpace(_) => Some(room.refused(self.missing(id))),
            AssembleError::Permission(_) => Some(DiskTrouble::NotPermitted { folder: room.folder }),
            AssembleError::TooLarge(_)
            | AssembleError::Name(_)
            | AssembleError::Gone(_)
            | AssembleError::NameTaken(_)
            | AssembleError::Stopped
            | AssembleError::Other(_) => None,
        }
    }

    /// It is taken up again as after a crash: from what was synced, by a path that is looked up anew.
    async fn hold(&self, batch: &Batch, item: &Item, trouble: &DiskTrouble) {
        let remains = self.recorded(item.id).await;
        batch.change(item, |entry| entry.hold(trouble, remains));
        tracing::info!(cause = ?trouble.cause(), "a download waits for the disk");
        self.shared.held.notify_one();
    }

    async fn recorded(&self, id: DownloadId) -> Option<Remains> {
        let store = self.shared.store.clone();
        let reading = self.shared.store.state().call(move |_| store.remains(PartOf::Download(id)));
        reading.await.ok().flatten()
    }

    /// Whether there is room for what is missing of a download.
    pub(super) async fn must_have_room(&self, id: DownloadId) -> Result<(), DiskTrouble> {
        self.fits(&self.survey().await, id)
    }

    /// Tells another trouble, once it is another one. Numbers that change are not worth an entry in its story.
    fn retell(&self, id: DownloadId, trouble: &DiskTrouble) {
        let is_retold = self.book().get_mut(id).is_some_and(|entry| entry.retell(trouble));
        if is_retold {
            self.note_change();
        }
    }

    fn let_go(&self, id: DownloadId) {
        let token = self.shared.parts.token.child_token();
        let username = {
            let mut book = self.book();
            let Some(entry) = book.get_mut(id).filter(|entry| entry.life().is_held()) else { return };
            entry.release(token);
            entry.source.username.clone()
        };
        self.note_change();
        self.ask(username);
    }
}

/// Looks at the disk while something is written; returns when it can't go on. `must_be_in` tells whether what is
/// written is still in the folder, `missing` how much is still to come.
pub(super) async fn watch_running(
    folder: &Arc<DownloadFolder>,
    must_be_in: impl Fn(&Dir) -> Result<(), AssembleError> + Send + Sync + 'static,
    missing: impl Fn() -> u64,
) -> Failure {
    let must_be_in = Arc::new(must_be_in);
    loop {
        tokio::time::sleep(RUNNING_LOOK).await;
        let (missing, folder, must_be_in) = (missing(), Arc::clone(folder), Arc::clone(&must_be_in));
        let looking = tokio::task::spawn_blocking(move || -> Result<(), Failure> {
            folder.survey()?.must_last(missing)?;
            Ok(must_be_in(&folder.open()?)?)
        });
        match looking.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => return failure,
            Err(_) => return Failure::Worker,
        }
    }
}

/// When a download that is held may go on although nothing seems wrong: at once, and if it was let go before and
/// refused again, after ever longer waits. Pure.
#[derive(Debug, Default)]
struct Patience {
    let_go: HashMap<DownloadId, LetGo>,
}

#[derive(Debug)]
struct LetGo {
    at: Instant,
    /// Until it may be let go again.
    wait: Duration,
}

impl LetGo {
    /// One that ran for this much longer than its wait was not refused for the same reason.
    const FORGOTTEN_AFTER: u32 = 4;

    fn is_forgotten(&self, now: Instant) -> bool {
        now.duration_since(self.at) >= self.wait * Self::FORGOTTEN_AFTER
    }
}

impl Patience {
    /// The disk has told why it refused.
    fn forget(&mut self, id: DownloadId) {
        self.let_go.remove(&id);
    }

    fn is_over(&mut self, id: DownloadId, now: Instant) -> bool {
        self.let_go.retain(|_, last| !last.is_forgotten(now));
        let wait = match self.let_go.get(&id) {
            None => REFUSED_WAIT,
            Some(last) if now.duration_since(last.at) < last.wait => return false,
            Some(last) => (last.wait * 2).min(REFUSED_WAIT_MAX),
        };
        self.let_go.insert(id, LetGo { at: now, wait });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_refuses_again_and_again_is_tried_ever_more_seldom() {
        let (start, id) = (clock::now(), DownloadId(1));
        let mut patience = Patience::default();
        let mut tries = Vec::new();
        // Refused within the second, each time.
        for second in 0..3_600 {
            if patience.is_over(id, start + Duration::from_secs(second)) {
                tries.push(second);
            }
        }
        assert_eq!(tries, [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030]);
        assert!(patience.is_over(DownloadId(2), start), "another one has not been tried");
    }

    #[test]
    fn one_that_ran_for_long_begins_anew() {
        let (start, id) = (clock::now(), DownloadId(1));
        let mut patience = Patience::default();
        assert!(patience.is_over(id, start));
        assert!(!patience.is_over(id, start + REFUSED_WAIT / 2));
        let later = start + REFUSED_WAIT * LetGo::FORGOTTEN_AFTER;
        assert!(patience.is_over(id, later));
        assert!(!patience.is_over(id, later + REFUSED_WAIT / 2));
        assert!(patience.is_over(id, later + REFUSED_WAIT));
        patience.forget(id);
        assert!(patience.is_over(id, later + REFUSED_WAIT), "the reason was known, and is gone");
    }
}
