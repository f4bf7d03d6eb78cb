//! What is shared: the shares, a look at a folder before it is one, and links to what is in them.

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::{FolderSummary, Root, SafeName};

/// `GET /v1/shares`, and the answer to adding, removing and rescanning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    pub schema: u32,
    pub shares: Vec<Share>,
    /// Whether shares are being read right now: more files may come.
    pub scanning: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub path: String,
    pub origin: Origin,
    /// What was found in it and is offered.
    pub files: u64,
    pub bytes: u64,
    /// Why nothing of it is offered, in a sentence.
    pub problem: Option<String>,
    /// Its folders are offered as a whole, too.
    #[serde(default)]
    pub folders: bool,
    /// How many are: those with files in them, itself counted.
    #[serde(default)]
    pub whole_folders: u64,
    /// How many are not, because too much is in them.
    #[serde(default)]
    pub too_large_folders: u64,
}

/// Body of `POST /v1/shares`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewShare {
    /// Absolute.
    pub path: String,
    /// Whether its folders are offered as a whole, too. Without it, that stays as it is, which is no for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folders: Option<bool>,
}

/// Body of `POST /v1/shares/preview`, query of `DELETE /v1/shares` and `GET /v1/link`: an
/// absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathRequest {
    pub path: String,
}

/// What others would get to see of a folder, and what of it stays out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharePreview {
    pub schema: u32,
    pub path: String,
    pub files: u64,
    pub bytes: u64,
    /// The first of the files, by path: names and sizes are all that others see.
    pub first: Vec<PreviewedFile>,
    /// Files and folders that are passed over because they are hidden.
    pub hidden: u64,
    /// Because they are symbolic links.
    pub links: u64,
    /// Because they are unfinished downloads, or neither file nor folder.
    pub others: u64,
    /// Because they can't be read.
    pub unreadable: u64,
    /// Because they are too large, too deep or too many.
    pub beyond_limits: u64,
    /// Whether it is in a share whose folders are offered as a whole.
    #[serde(default)]
    pub folders: bool,
    /// How many folders are, or could be: those with files in them, itself counted.
    #[serde(default)]
    pub whole_folders: u64,
    /// How many could not be, because too much is in them.
    #[serde(default)]
    pub too_large_folders: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewedFile {
    pub name: SafeName,
    pub size: u64,
}

/// `GET /v1/link?path=PATH`: the link to a shared file, or to a folder that is offered as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLink {
    pub schema: u32,
    pub link: String,
    pub name: SafeName,
    /// Of a folder, size and root are its listing's.
    pub size: u64,
    pub root: Root,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
}
