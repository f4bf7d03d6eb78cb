//! What the daemon is told, and by whom.

use serde::{Deserialize, Serialize};

use super::Origin;

/// `GET /v1/config`, and the answer to setting and unsetting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    pub schema: u32,
    /// The configuration file that was read at the start.
    pub file: Option<String>,
    pub settings: Vec<Setting>,
}

/// A rate without a limit, as people read it and may write it. Scripts read `0`.
pub const UNLIMITED: &str = "unlimited";

/// Values are text in the form that the flag of that name takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub name: String,
    /// What counts now; none where there is none, or where it is secret.
    pub value: Option<String>,
    pub origin: Origin,
    /// Whether it can be set while the daemon runs.
    pub settable: bool,
    /// Whether a change counts at once. Otherwise it does from the next start on.
    #[serde(default)]
    pub at_once: bool,
    /// What was set or unset since the start, and counts from the next one on.
    pub at_next_start: Option<NextValue>,
}

/// Like the value and the origin of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextValue {
    pub value: Option<String>,
    pub origin: Origin,
}

/// Body of `PUT /v1/config/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewValue {
    pub value: String,
}
