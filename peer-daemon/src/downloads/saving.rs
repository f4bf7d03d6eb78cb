//! Downloads are saved as they change: whoever changes one is answered when that is on the disk.
//!
//! A disk may be full, and it is by changes (a cancel) that it is made less so. So what can't be saved has happened
//! all the same, is told as a failure, and is saved with the next change.

use std::sync::Arc;

use tracing::warn;

use super::{Downloads, content::Leftovers};
use crate::state::StateError;

impl Downloads {
    /// Saves what the tasks change, until the daemon ends.
    pub(super) async fn save_changes(self) {
        let mut changes = self.shared.changes.subscribe();
        loop {
            let is_last = tokio::select! {
                next = changes.changed() => next.is_err(),
                () = self.shared.parts.token.cancelled() => true,
            };
            if let Err(error) = self.save().await {
                warn!(%error, "downloads could not be saved");
            }
            if is_last {
                return;
            }
        }
    }

    pub(super) async fn save(&self) -> Result<(), StateError> {
        let _saving = self.shared.saving.lock().await;
        let unsaved = self.book().take_unsaved();
        if unsaved.is_empty() {
            return Ok(());
        }
        let unsaved = Arc::new(unsaved);
        let (store, saving) = (self.shared.store.clone(), Arc::clone(&unsaved));
        let saved = self.shared.store.state().call(move |_| store.save(&saving)).await;
        if saved.is_err() {
            self.book().take_back(&unsaved);
        }
        saved
    }

    /// What follows from a change that somebody made: it is saved, and what it leaves on the disk is removed.
    /// Whoever asked for it may go away meanwhile.
    pub(super) async fn follow_up(&self, leftovers: Option<Leftovers>) -> Result<(), StateError> {
        self.note_change();
        let downloads = self.clone();
        let following = self.shared.parts.tracker.spawn(async move {
            let saved = downloads.save().await;
            let Some(leftovers) = leftovers else { return saved };
            downloads.discard(leftovers).await;
            // That may have made the room for it.
            if saved.is_err() { downloads.save().await } else { saved }
        });
        following.await.unwrap_or(Err(StateError::GivenUp))
    }
}
