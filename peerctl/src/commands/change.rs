//! `peerctl pause`, `resume`, `retry`, `cancel` and `rm`.

use protocol::control::{Download, DownloadState, Downloads, SCHEMA};

use super::follow::single;
use crate::{
    cli::Chosen,
    client::{Change, Client},
    error::Error,
    output::Output,
};

pub(super) async fn run(
    client: &Client,
    change: Change,
    chosen: Chosen,
    output: &Output,
) -> Result<(), Error> {
    let ids = if chosen.all {
        let downloads = client.downloads().await?.value.downloads;
        downloads.into_iter().filter(|download| fits(change, download)).map(|download| download.id).collect()
    } else {
        chosen.ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let mut changed = Vec::with_capacity(ids.len());
    let mut failure = None;
    for id in &ids {
        match client.change_download(id, change).await.and_then(|reply| single(reply.value)) {
            Ok(download) => {
                if !output.json() {
                    output.note(&sentence(change, &download));
                }
                changed.push(download);
            }
            // One that can't be changed keeps none of the others from it.
            Err(Error::Problem(problem)) if ids.len() > 1 => {
                let error = Error::Problem(problem);
                output.note(&format!("{id}: {error}"));
                failure.get_or_insert(Error::Told(error.exit_status()));
            }
            Err(error) => return Err(error),
        }
    }
    if output.json() {
        let document = Downloads { schema: SCHEMA, downloads: changed };
        output.document(
            &serde_json::to_string(&document).map_err(|error| Error::Unreadable(error.to_string()))?,
        )?;
    } else if ids.is_empty() {
        output.note("there is no download in a state for that");
    }
    failure.map_or(Ok(()), Err)
}

/// What `--all` means for a verb.
pub(super) fn fits(change: Change, download: &Download) -> bool {
    let state = download.state;
    match change {
        // One that waits for the disk would go on by itself.
        Change::Pause if state == DownloadState::Paused => download.cause.is_some(),
        Change::Resume => state == DownloadState::Paused,
        Change::Retry => state == DownloadState::Failed,
        Change::Pause | Change::Cancel => !state.has_ended() && state != DownloadState::Verifying,
        Change::Remove => state.has_ended(),
    }
}

fn sentence(change: Change, download: &Download) -> String {
    let done = match change {
        Change::Pause => "paused",
        Change::Resume => "goes on",
        Change::Retry => "tries again",
        Change::Cancel => "cancelled",
        Change::Remove => "taken off the list",
    };
    format!("{}: {done}", download.name)
}

#[cfg(test)]
mod tests {
    use protocol::{Root, SafeName, control::Cause};

    use super::*;

    fn download(state: DownloadState, cause: Option<Cause>) -> Download {
        Download {
            id: "1".to_owned(),
            name: SafeName::sanitise("a"),
            size: 1,
            received: 0,
            state,
            username: "alice".parse().unwrap(),
            root: Root::from_bytes([0; 32]),
            path: String::new(),
            bytes_per_second: 0,
            eta_seconds: None,
            position: None,
            reason: None,
            cause,
            route: None,
            folder: None,
        }
    }

    #[test]
    fn all_means_those_that_the_verb_fits() {
        use DownloadState as State;
        let all = [
            State::Queued,
            State::Transferring,
            State::Verifying,
            State::Paused,
            State::Failed,
            State::Finished,
        ];
        let fitting = |change| {
            all.into_iter().filter(|state| fits(change, &download(*state, None))).collect::<Vec<_>>()
        };
        assert_eq!(fitting(Change::Pause), [State::Queued, State::Transferring]);
        assert_eq!(fitting(Change::Resume), [State::Paused]);
        assert_eq!(fitting(Change::Retry), [State::Failed]);
        assert_eq!(
            fitting(Change::Cancel),
            [State::Queued, State::Transferring, State::Paused, State::Failed][..3]
        );
        assert_eq!(fitting(Change::Remove), [State::Failed, State::Finished]);
        let held = download(State::Paused, Some(Cause::NoSpace));
        assert!(fits(Change::Pause, &held) && fits(Change::Resume, &held));
    }
}
