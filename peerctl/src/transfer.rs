//! A download or an upload, as both are shown. Lists, bars and the lines of a pipe differ in how they show it, and
//! not in what there is to show.

use protocol::{
    SafeName, Username,
    control::{Download, DownloadState, Route, Upload, UploadState},
};

use crate::format;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) name: SafeName,
    pub(crate) size: u64,
    /// Bytes verified, or sent.
    pub(crate) done: u64,
    pub(crate) stage: Stage,
    state: &'static str,
    /// On the other side.
    pub(crate) peer: Username,
    direction: Direction,
    pub(crate) bytes_per_second: u64,
    eta_seconds: Option<u64>,
    position: Option<u32>,
    reason: Option<String>,
    route: Option<Route>,
    /// Of a folder, how many files are in it, and of a download how many of them are there.
    files: Option<(u64, Option<u64>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Moving,
    Finished,
    /// It ended otherwise.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    From,
    To,
}

impl From<&Download> for Transfer {
    fn from(download: &Download) -> Self {
        let (stage, state_name) = of_download(download.state);
        Self {
            id: download.id.clone(),
            name: download.name.clone(),
            size: download.size,
            done: download.received,
            stage,
            state: state_name,
            peer: download.username.clone(),
            direction: Direction::From,
            bytes_per_second: download.bytes_per_second,
            eta_seconds: download.eta_seconds,
            position: download.position,
            reason: download.reason.clone(),
            route: download.route,
            files: download.folder.map(|folder| (folder.files, Some(folder.finished))),
        }
    }
}

impl From<&Upload> for Transfer {
    fn from(upload: &Upload) -> Self {
        let (stage, state_name) = of_upload(upload.state);
        let left = upload.size.saturating_sub(upload.sent);
        Self {
            id: upload.id.clone(),
            name: upload.name.clone(),
            size: upload.size,
            done: upload.sent,
            stage,
            state: state_name,
            peer: upload.username.clone(),
            direction: Direction::To,
            bytes_per_second: upload.bytes_per_second,
            eta_seconds: left.checked_div(upload.bytes_per_second),
            position: upload.position,
            reason: upload.reason.clone(),
            route: upload.route,
            files: upload.folder.map(|folder| (folder.files, None)),
        }
    }
}

impl Transfer {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Finished | Stage::Broken)
    }

    /// `waiting, place 2`.
    pub(crate) fn state_and_place(&self) -> String {
        let place = self.position.map(|position| format!(", place {position}")).unwrap_or_default();
        format!("{}{place}", self.state)
    }

    /// A state with what there is to know about it: `waiting, place 2: the upload slot is taken`.
    pub(crate) fn standing(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{}{reason}", self.state_and_place())
    }

    pub(crate) fn percent(&self) -> String {
        format::percent(self.done, self.size)
    }

    /// The name, and of a folder how many files are in it: `Album/ (412 of 1,000 files)`.
    pub(crate) fn full_name(&self) -> String {
        match self.files() {
            Some(files) => format!("{}/ ({files})", self.name),
            None => self.name.to_string(),
        }
    }

    /// Of a folder: `412 of 1,000 files`.
    pub(crate) fn files(&self) -> Option<String> {
        self.files.map(|(files, finished)| match finished {
            Some(finished) => format!("{} of {}", format::grouped(finished), format::files(files)),
            None => format::files(files),
        })
    }

    /// Empty unless bytes move.
    pub(crate) fn speed(&self) -> String {
        if self.stage == Stage::Moving { format::speed(self.bytes_per_second) } else { String::new() }
    }

    /// Why it is in its state, where there is more to know than the state.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What is told of it in a line, the important first: a narrow terminal shows no more than fit. What changes all
    /// the time keeps its place.
    pub(crate) fn facts(&self) -> Vec<String> {
        let size = format::size(self.size);
        let mut facts = match self.stage {
            Stage::Moving => vec![format!("{:>3}", self.percent()), size, format!("{:>10}", self.speed())],
            Stage::Finished => vec![format!("{size} done")],
            Stage::Waiting | Stage::Broken => vec![self.standing(), self.percent(), size],
        };
        facts.extend(self.files());
        if let (Stage::Moving, Some(seconds)) = (self.stage, self.eta_seconds) {
            facts.push(format!("{:>5}", format::duration(seconds)));
        }
        let direction = match self.direction {
            Direction::From => "from",
            Direction::To => "to",
        };
        facts.push(format!("{direction} {}", self.peer));
        facts.extend(self.route.map(|route| how(route).to_owned()));
        facts
    }
}

/// A download's state in a word.
pub(crate) fn download_state(state: DownloadState) -> &'static str {
    of_download(state).1
}

/// In words.
fn how(route: Route) -> &'static str {
    match route {
        Route::DialBack => "by dial-back",
        Route::DialMe => "dialled",
    }
}

fn of_download(state: DownloadState) -> (Stage, &'static str) {
    match state {
        DownloadState::Queued => (Stage::Waiting, "queued"),
        DownloadState::Requesting => (Stage::Waiting, "requesting"),
        DownloadState::Waiting => (Stage::Waiting, "waiting"),
        DownloadState::Transferring => (Stage::Moving, "transferring"),
        DownloadState::Verifying => (Stage::Waiting, "verifying"),
        DownloadState::Finished => (Stage::Finished, "finished"),
        DownloadState::Paused => (Stage::Waiting, "paused"),
        DownloadState::Failed => (Stage::Broken, "failed"),
        DownloadState::Cancelled => (Stage::Broken, "cancelled"),
    }
}

fn of_upload(state: UploadState) -> (Stage, &'static str) {
    match state {
        UploadState::Queued => (Stage::Waiting, "queued"),
        UploadState::Dialling => (Stage::Waiting, "dialling"),
        UploadState::Transferring => (Stage::Moving, "transferring"),
        UploadState::Finished => (Stage::Finished, "finished"),
        UploadState::Failed => (Stage::Broken, "failed"),
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::{Direction, Stage, Transfer};
    use protocol::{SafeName, Username};

    /// Under way, half done.
    pub(crate) fn moving(name: &str) -> Transfer {
        Transfer {
            id: "3".to_owned(),
            name: SafeName::sanitise(name),
            size: 3 << 20,
            done: 3 << 19,
            stage: Stage::Moving,
            state: "transferring",
            peer: Username::parse("anna").unwrap(),
            direction: Direction::From,
            bytes_per_second: 1 << 20,
            eta_seconds: Some(12),
            position: None,
            reason: None,
            route: None,
            files: None,
        }
    }

    pub(crate) fn waiting(name: &str) -> Transfer {
        Transfer {
            stage: Stage::Waiting,
            state: "waiting",
            done: 0,
            bytes_per_second: 0,
            eta_seconds: None,
            position: Some(2),
            reason: Some("the source is busy".to_owned()),
            ..moving(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Direction, Route, Stage, Transfer,
        samples::{moving, waiting},
    };

    #[test]
    fn what_waits_says_where_and_why_and_what_moves_says_how_fast() {
        let facts = |transfer: &Transfer| transfer.facts().join("  ");
        assert_eq!(facts(&moving("a")), "50%  3.0 MiB   1.0 MiB/s   0:12  from anna");
        assert_eq!(facts(&waiting("a")), "waiting, place 2: the source is busy  0%  3.0 MiB  from anna");
        let dialled = Transfer { route: Some(Route::DialBack), ..moving("a") };
        assert_eq!(facts(&dialled), "50%  3.0 MiB   1.0 MiB/s   0:12  from anna  by dial-back");
        let folder = Transfer { files: Some((1_000, Some(412))), ..moving("a") };
        assert_eq!(facts(&folder), "50%  3.0 MiB   1.0 MiB/s  412 of 1,000 files   0:12  from anna");
        assert_eq!(folder.full_name(), "a/ (412 of 1,000 files)");
        let finished = Transfer { stage: Stage::Finished, direction: Direction::To, ..moving("a") };
        assert_eq!(facts(&finished), "3.0 MiB done  to anna");
    }
}
