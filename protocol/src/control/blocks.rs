//! The usernames that a peer wants nothing to do with.

use serde::{Deserialize, Serialize};

use crate::Username;

/// `GET /v1/blocks`, and the answer to adding and removing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    pub schema: u32,
    /// By name.
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// This name, and each that looks like it.
    pub username: Username,
}

/// Body of `POST /v1/blocks`, query of `DELETE /v1/blocks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRequest {
    /// Not parsed yet: a bad one is answered with its reason.
    pub username: String,
}
