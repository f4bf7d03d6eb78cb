//! Who decides about an introduction that could be served.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Whoever asks for a shared file gets it.
    #[default]
    Auto,
    /// A person accepts or declines each introduction.
    Ask,
}
