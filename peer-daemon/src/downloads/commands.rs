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
        let (download, ()) = self.change_now(id, |entry| match entry.state() {
            state if state.has_ended() || state == DownloadState::Verifying => {
                Err(ChangeError::WrongState(state))
            }
            _ => {
                entry.pause();
                Ok(())
            }
        })?;
        self.follow_up(None).await?;
        Ok(download)
    }

    /// Goes on with a paused download.
    pub(crate) async fn resume(&self, id: DownloadId) -> Result<Download, ChangeError> {
        self.go_on_from(id, &[DownloadState::Paused]).await
    }

    /// Goes on with a download that failed or was cancelled, or that waits for its next try.
    pub(crate) async fn retry(&self, id: DownloadId) -> Result<Download, ChangeError> {
        let (download, is_hurried) = self.change_now(id, |entry| Ok(entry.hurry()))?;
        if is_hurried {
            self.follow_up(None).await?;
            return Ok(download);
        }
        self.go_on_from(id, &[DownloadState::Failed, DownloadState::Cancelled]).await
    }

    /// Ends a download and removes what was written of it.
    pub(crate) async fn cancel(&self, id: DownloadId) -> Result<Download, ChangeError> {
        let (download, leftovers) = self.change_now(id, |entry| match entry.state() {
            DownloadState::Cancelled => Ok(None),
            DownloadState::Finished | DownloadState::Verifying => Err(ChangeError::WrongState(entry.state())),
            _ => {
                entry.token.cancel();
                Ok(entry.cancel())
            }
        })?;
        self.follow_up(leftovers).await?;
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
        self.book().remove(id);
        self.follow_up(None).await?;
        Ok(download)
    }

    async fn go_on_from(&self, id: DownloadId, states: &[DownloadState]) -> Result<Download, ChangeError> {
        let token = self.shared.parts.token.child_token();
        let (download, ()) = self.change_now(id, |entry| {
            if !states.contains(&entry.state()) {
                return Err(ChangeError::WrongState(entry.state()));
            }
            entry.go_on(token);
            Ok(())
        })?;
        self.ask(download.username.clone());
        self.follow_up(None).await?;
        Ok(download)
    }

    /// Changes a download. What follows is for the caller to see to.
    fn change_now<T>(
        &self,
        id: DownloadId,
        change: impl FnOnce(&mut Entry) -> Result<T, ChangeError>,
    ) -> Result<(Download, T), ChangeError> {
        let mut book = self.book();
        let entry = book.get_mut(id).ok_or(ChangeError::Unknown)?;
        let changed = change(entry)?;
        Ok((entry.view(clock::now()), changed))
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
