//! What happens, as it happens.

use serde::{Deserialize, Serialize};

use super::{Download, IncomingRequest, SCHEMA, Share, Status, Upload};

/// A line of `GET /v1/events`. The first has every part; a later one has those that have changed since, each of
/// them whole. One without any says that nothing has changed and that the stream lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub schema: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// As in `GET /v1/downloads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<Vec<Download>>,
    /// As in `GET /v1/uploads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Vec<Upload>>,
    /// As in `GET /v1/requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Vec<IncomingRequest>>,
    /// As in `GET /v1/shares`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Vec<Share>>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { schema: SCHEMA, status: None, downloads: None, uploads: None, requests: None, shares: None }
    }
}
