//! Bodies of the daemon's control API. `peerctl --json` prints these documents as they are: scripts rely on
//! their shapes, so they are extended, never changed. Sizes are bytes, ids are strings.

mod blocks;
mod changes;
pub mod doctor;
mod exit_code;
mod settings;
mod shares;
mod why;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use self::blocks::{Block, BlockRequest, Blocks};
pub use self::changes::Changes;
pub use self::exit_code::ExitCode;
pub use self::settings::{Configuration, NewValue, NextValue, Setting, UNLIMITED};
pub use self::shares::{FileLink, NewShare, PathRequest, PreviewedFile, Share, SharePreview, Shares};
pub use self::why::{Upcoming, Why, WhyStep};
use crate::{
    Conflict, FolderSummary, Root, SafeName, Username, match_rule::MatchClass, redacted::redacted_debug,
};

/// The version of these documents, at the top of each.
pub const SCHEMA: u32 = 1;

/// `GET /v1/status`, and the answer of connect and disconnect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub schema: u32,
    pub version: String,
    pub protocol_version: u32,
    /// The username that is held or sought.
    pub username: Option<Username>,
    pub connected: bool,
    /// Why not, in a sentence, when it is sought and not held.
    pub connection_problem: Option<String>,
    /// The coordinator's URL.
    pub coordinator: Option<String>,
    pub download_port: u16,
    pub upload_port: u16,
    /// The web page's address, when it is on.
    pub gui: Option<SocketAddr>,
    pub shared_files: u64,
    pub shared_bytes: u64,
    /// Whether shares are being read right now.
    pub scanning: bool,
    /// The running download and upload.
    pub download: Option<Download>,
    pub upload: Option<Upload>,
    /// Dial-backs that were turned away at the message-key since the start.
    pub refused_dial_backs: u64,
    /// Bytes a second at most; none where there is no limit.
    #[serde(default)]
    pub download_rate_max: Option<u64>,
    #[serde(default)]
    pub upload_rate_max: Option<u64>,
    /// Nothing is given for now, and nothing offered.
    #[serde(default)]
    pub uploads_off: bool,
    /// That of several daemons side by side.
    #[serde(default)]
    pub profile: Option<String>,
}

/// Body of `PUT /v1/connection`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRequest {
    /// Not parsed yet: a bad one is answered with its reason.
    pub username: String,
}

/// Body of `POST /v1/searches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSearch {
    pub query: String,
}

/// `POST /v1/searches` and `GET /v1/searches/{search}?known=N&wait=SECONDS`; with `known`, the call is
/// answered once there are more than N results or the search is finished. `POST /v1/searches/{search}` asks all peers
/// once more; what is new gets the numbers that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    pub schema: u32,
    /// Its number, from 1.
    pub search: String,
    pub query: String,
    pub finished: bool,
    /// Exact ones first, each class in order of arrival; a number stays with its result.
    pub results: Vec<SearchResult>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchResult {
    /// From 1, in order of arrival.
    pub number: u32,
    pub username: Username,
    pub name: SafeName,
    pub size: u64,
    pub root: Root,
    /// How much is in it, if it is a folder; size and root are its listing's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
    #[serde(rename = "match")]
    pub class: MatchClass,
}

/// Body of `POST /v1/downloads`: each target is a result (`NUMBER` of the last search, or `SEARCH.NUMBER`) or a
/// link (`hearsay:?…`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewDownloads {
    pub targets: Vec<String>,
    /// Where a name is taken; without it, the daemon's setting counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

/// `GET /v1/downloads`, `POST /v1/downloads`, and `GET /v1/downloads/{id}?wait=SECONDS` (which is answered
/// once the download has ended, or after the wait).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downloads {
    pub schema: u32,
    pub downloads: Vec<Download>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    pub id: String,
    pub name: SafeName,
    /// Of a folder, of all its files.
    pub size: u64,
    /// Bytes verified.
    pub received: u64,
    pub state: DownloadState,
    /// The source.
    pub username: Username,
    pub root: Root,
    /// Where it is, or will be.
    pub path: String,
    pub bytes_per_second: u64,
    pub eta_seconds: Option<u64>,
    /// The place in the source's queue, while waiting.
    pub position: Option<u32>,
    /// Why it waits or failed, in a sentence.
    pub reason: Option<String>,
    /// The same for programs, when it failed, or when it is paused because the disk does not take it: then it
    /// goes on by itself.
    pub cause: Option<Cause>,
    /// While there is a stream.
    #[serde(default)]
    pub route: Option<Route>,
    /// How many of its files are there, if it is a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderProgress>,
}

/// How far a folder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderProgress {
    pub files: u64,
    /// Those that are whole and in their place.
    pub finished: u64,
}

/// Who dialled whom for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// The target dialled the requester.
    DialBack,
    /// The requester dialled the target, which could not reach it.
    DialMe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    Queued,
    Requesting,
    Waiting,
    Transferring,
    Verifying,
    Finished,
    Paused,
    Failed,
    Cancelled,
}

impl DownloadState {
    /// Nothing more happens by itself.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// Why a download failed. `peerctl` exits with the code of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The source gave no word: it is gone, or unwilling.
    SourceGone,
    /// Neither side can be reached by the other.
    NeitherReachable,
    /// The source said no.
    Declined,
    /// The source does not have the file any more.
    FileGone,
    /// The file changed at the source.
    SourceChanged,
    /// The stream broke off.
    StreamLost,
    /// The source sent a wrong piece twice, or a wrong piece layer.
    Integrity,
    /// The coordinator can't be reached.
    CoordinatorUnreachable,
    /// The coordinator wants fewer requests.
    RateLimited,
    /// The two sides speak different protocol versions.
    VersionMismatch,
    NoSpace,
    Permission,
    /// The download folder was removed, or its disk is not mounted.
    FolderGone,
    /// The name is taken, and what is there was to be left alone.
    NameTaken,
    TimedOut,
    /// Any other error, told in `reason`.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploads {
    pub schema: u32,
    pub uploads: Vec<Upload>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The introduction's id.
    pub id: String,
    pub name: SafeName,
    pub size: u64,
    pub sent: u64,
    pub state: UploadState,
    /// The requester.
    pub username: Username,
    pub bytes_per_second: u64,
    pub position: Option<u32>,
    pub reason: Option<String>,
    /// While there is a stream.
    #[serde(default)]
    pub route: Option<Route>,
    /// How much is in it, if it is a folder; its size is that of all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadState {
    Queued,
    Dialling,
    Transferring,
    Finished,
    Failed,
}

/// `GET /v1/requests`, and the answer of accept and decline: the introductions that wait for a person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRequests {
    pub schema: u32,
    pub requests: Vec<IncomingRequest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRequest {
    /// The introduction's id.
    pub id: String,
    /// The requester.
    pub username: Username,
    pub files: Vec<RequestedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedFile {
    pub name: SafeName,
    pub size: u64,
    pub root: Root,
    /// How much is in it, if it is a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
}

/// Where a share or the value of a setting comes from; what is further down goes before what is further up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Default,
    File,
    /// Added or set while the daemon ran, kept in its state.
    RunTime,
    Environment,
    Flag,
}

/// `POST /v1/gui/login`: a link that opens the web page, once and for a short while.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuiLogin {
    pub schema: u32,
    /// The secret is in its fragment, which a browser keeps to itself.
    pub url: String,
}
redacted_debug!(GuiLogin);
