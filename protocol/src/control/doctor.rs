//! What the daemon finds when it looks itself over.

use serde::{Deserialize, Serialize};

/// `GET /v1/doctor`. `peerctl doctor` adds what only it can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    pub schema: u32,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at, the same in every version: `coordinator`, `clock`, `session`, `download_port`, and so on.
    pub name: String,
    pub verdict: Verdict,
    /// What was found, in a sentence.
    pub finding: String,
    /// How to mend it.
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Good,
    /// It works, and something about it is not as it should be.
    Warning,
    Bad,
    /// It can't be told.
    Unknown,
}

impl Check {
    pub fn good(name: &str, finding: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Good, finding: finding.into(), remedy: None }
    }

    /// Anything but good is told with what to do about it.
    pub fn other(
        verdict: Verdict,
        name: &str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { verdict, remedy: Some(remedy.into()), ..Self::good(name, finding) }
    }
}
