//! What a person does to a download: pause, resume, retry, cancel, take off the list.

use protocol::control::{Download, DownloadState};
use thiserror::Error;

use super::{
    Downloads,
    entry::{DownloadId, Entry},
};
use crate::{clock, state::StateError};

/// Why a download could not be changed.
#[derive(Debug, Error)]
pub(crate) enum ChangeError {
    #[error("there is no such download")]
    Unknown,
    #[error("too many downloads are waiting; cancel some first")]
    TooMany,
    #[error("the download is {}; that can't be done now", state_word(*.0))]
    WrongState(DownloadState),
    #[error(transparent)]
    State(#[from] StateError),
}

impl Downloads {
    /// Stops a download until it is resumed; what was received stays.
    pub(crate) async fn pause(&self, id: DownloadId) -> Result<Download, ChangeError> {
        self.change(id, |entry| match entry.state() {
            state if state.has_ended() || state == DownloadState::Verifying => {
                Err(ChangeError::WrongState(state))
            }
            _ => {
                entry.pause();
                Ok(())
            }
        })
        .await
    }

    /// Goes on with a paused download.
    pub(crate) async fn resume(&self, id: DownloadId) -> Result<Download, ChangeError> {
        self.go_on_from(id, &[DownloadState::Paused]).await
    }

    /// Goes on with a download that failed or was cancelled, or that waits for its next try.
    pub(crate) async fn retry(&self, id: DownloadId) -> Result<Download, ChangeError> {
        let mut is_hurried = false;
        let hurry = self.change(id, |entry| {
            is_hurried = entry.hurry();
            Ok(())
        });
        let download = hurry.await?;
        if is_hurried {
            return Ok(download);
        }
        self.go_on_from(id, &[DownloadState::Failed, DownloadState::Cancelled]).await
    }

    /// Ends a download and removes what was written of it.
    pub(crate) async fn cancel(&self, id: DownloadId) -> Result<Download, ChangeError> {
        let mut leftovers = None;
        let download = self
            .change(id, |entry| match entry.state() {
                DownloadState::Cancelled => Ok(()),
                DownloadState::Finished | DownloadState::Verifying => {
                    Err(ChangeError::WrongState(entry.state()))
                }
                _ => {
                    entry.token.cancel();
                    leftovers = entry.cancel();
                    Ok(())
                }
            })
            .await?;
        if let Some(leftovers) = leftovers {
            self.discard(leftovers).await;
        }
        Ok(download)
    }

    /// Takes a download off the list, cancelled if it has not ended. A finished file stays where it is.
    pub(crate) async fn remove(&self, id: DownloadId) -> Result<Download, ChangeError> {
        let download = match self.cancel(id).await {
            Err(ChangeError::WrongState(DownloadState::Finished)) => {
                self.get(id).ok_or(ChangeError::Unknown)?
            }
            cancelled => cancelled?,
        };
        let _saving = self.shared.saving.lock().await;
        self.book().remove(id);
        let store = self.shared.store.clone();
        self.shared.store.state().call(move |_| store.remove(id)).await?;
        self.note_change();
        Ok(download)
    }

    async fn go_on_from(&self, id: DownloadId, states: &[DownloadState]) -> Result<Download, ChangeError> {
        let token = self.shared.parts.token.child_token();
        let download = self
            .change(id, |entry| {
                if !states.contains(&entry.state()) {
                    return Err(ChangeError::WrongState(entry.state()));
                }
                entry.go_on(token);
                Ok(())
            })
            .await?;
        self.ask(download.username.clone());
        Ok(download)
    }

    /// Changes a download; the change is saved before this returns.
    async fn change(
        &self,
        id: DownloadId,
        change: impl FnOnce(&mut Entry) -> Result<(), ChangeError>,
    ) -> Result<Download, ChangeError> {
        let view = {
            let mut book = self.book();
            let entry = book.get_mut(id).ok_or(ChangeError::Unknown)?;
            change(entry)?;
            entry.view(clock::now())
        };
        self.save().await?;
        self.note_change();
        Ok(view)
    }
}

fn state_word(state: DownloadState) -> &'static str {
    match state {
        DownloadState::Queued => "queued",
        DownloadState::Requesting => "requesting",
        DownloadState::Waiting => "waiting",
        DownloadState::Transferring => "transferring",
        DownloadState::Verifying => "being finished",
        DownloadState::Finished => "finished",
        DownloadState::Paused => "paused",
        DownloadState::Failed => "failed",
        DownloadState::Cancelled => "cancelled",
    }
}
