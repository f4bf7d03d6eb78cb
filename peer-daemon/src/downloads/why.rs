//! `GET /v1/downloads/{id}/why`: the chain of what happened to a download, as it is told.

use std::time::SystemTime;

use jiff::Timestamp;
use protocol::control::{Download, SCHEMA, Upcoming, Why, WhyStep};

use super::{Downloads, entry::DownloadId, history::Change};
use crate::{clock, state::StateError};

impl Downloads {
    /// What happened to a download and what happens next; `None` if there is no such download.
    pub(crate) async fn why(&self, id: DownloadId) -> Result<Option<Why>, StateError> {
        // What has just happened is part of it.
        self.save().await?;
        let store = self.shared.store.clone();
        let changes = self.shared.store.state().call(move |_| store.changes(id)).await?;
        let now = clock::wall();
        let told = {
            let mut book = self.book();
            let upcoming = book.get_mut(id).and_then(|entry| entry.life().upcoming(now));
            book.view(id, clock::now()).map(|download| (download, upcoming))
        };
        Ok(told.map(|(download, upcoming)| document(download, upcoming, changes, now)))
    }
}

fn document(download: Download, next: Option<Upcoming>, changes: Vec<Change>, now: SystemTime) -> Why {
    let has_ended = download.state.has_ended();
    let ends: Vec<Option<SystemTime>> =
        changes.iter().skip(1).map(|change| Some(change.at)).chain([(!has_ended).then_some(now)]).collect();
    let steps = changes.into_iter().zip(ends).map(|(change, end)| step(&change, end)).collect();
    Why { schema: SCHEMA, download, steps, next }
}

fn step(change: &Change, end: Option<SystemTime>) -> WhyStep {
    // A clock that was set back makes a step of no length.
    let lasted = end.map(|end| end.duration_since(change.at).unwrap_or_default().as_millis());
    WhyStep {
        at: Timestamp::try_from(change.at).unwrap_or_default(),
        state: change.state,
        step: change.step.word(),
        sentence: change.step.sentence(),
        username: change.username.clone(),
        lasted_milliseconds: lasted.map(|lasted| u64::try_from(lasted).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::{Root, SafeName, control::DownloadState};

    use super::*;
    use crate::downloads::{setback::Setback, step::Step};

    fn download(state: DownloadState) -> Download {
        Download {
            id: "3".to_owned(),
            name: SafeName::parse("song.flac").unwrap(),
            size: 1,
            received: 0,
            state,
            username: "anna".parse().unwrap(),
            root: Root::from_bytes([1; 32]),
            path: String::new(),
            bytes_per_second: 0,
            eta_seconds: None,
            position: None,
            reason: None,
            cause: None,
            route: None,
            folder: None,
        }
    }

    #[test]
    fn each_step_lasts_until_the_next_and_the_last_until_now_or_for_ever() {
        let start = SystemTime::UNIX_EPOCH;
        let at = |seconds| start + Duration::from_secs(seconds);
        let change = |seconds, state, step| Change { at: at(seconds), state, step, username: None };
        let changes = vec![
            change(0, DownloadState::Queued, Step::Added),
            change(2, DownloadState::Requesting, Step::Asked),
            // The clock was set back meanwhile.
            change(1, DownloadState::Failed, Step::Setback(Setback::NoWord)),
        ];
        let lasted = |state| -> Vec<Option<u64>> {
            let why = document(download(state), None, changes.clone(), at(5));
            why.steps.iter().map(|step| step.lasted_milliseconds).collect()
        };
        assert_eq!(lasted(DownloadState::Failed), [Some(2_000), Some(0), None]);
        assert_eq!(lasted(DownloadState::Waiting), [Some(2_000), Some(0), Some(4_000)]);
    }
}
