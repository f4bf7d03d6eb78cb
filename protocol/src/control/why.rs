//! What happened to a download, for `peerctl why` and the web page.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Download, DownloadState};
use crate::Username;

/// `GET /v1/downloads/{id}/why`: the chain of what happened to a download, and what happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub schema: u32,
    pub download: Download,
    /// The oldest first; of a download that has seen very many, the oldest are left out.
    pub steps: Vec<WhyStep>,
    /// None where nothing is to come, or what comes next comes at no known time from no known side.
    pub next: Option<Upcoming>,
}

/// One step. All steps that are told of a download are in order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyStep {
    pub at: Timestamp,
    /// The state that the download was in from then on.
    pub state: DownloadState,
    /// What happened, in a word that stays the same over versions.
    pub step: String,
    /// The same for a person.
    pub sentence: String,
    /// The source, where it had a part in it.
    pub username: Option<Username>,
    /// Until the next step, or until now. None for the last step of a download that has ended.
    pub lasted_milliseconds: Option<u64>,
}

/// What happens next, if nothing comes in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    pub what: String,
    pub at: Option<Timestamp>,
}
