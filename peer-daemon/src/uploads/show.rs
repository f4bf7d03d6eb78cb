//! How uploads are listed.

use protocol::{
    FileId, IntroductionId, SafeName, Username,
    control::{RequestedFile, Upload, UploadState},
};

use super::aside::Aside;
use crate::library::Library;

pub(super) fn waiting_sentence(is_approved: bool, aside: Option<Aside>, is_on: bool) -> &'static str {
    match (is_approved, aside, is_on) {
        (false, ..) => "waits for your word: peerctl accept, or decline",
        (true, _, false) => "uploads are off; to go on: peerctl config set uploads on",
        (true, Some(aside), true) => aside.sentence(),
        (true, None, true) => "the upload slot is taken",
    }
}

/// What was asked for, with what is known of it: a folder has the size of its files. What is not shared any more is shown
/// without its name.
pub(super) fn requested(file: &FileId, library: &Library) -> RequestedFile {
    let (name, folder) = library.find(file).map_or_else(
        || (SafeName::sanitise("(no longer shared)"), None),
        |shared| (shared.name, shared.folder),
    );
    RequestedFile { name, size: folder.map_or(file.size, |folder| folder.bytes), root: file.root, folder }
}

/// How much it takes to list all of this as [`requested`].
pub(super) fn listed_bytes(files: &[FileId], library: &Library) -> usize {
    let bytes = |file| serde_json::to_vec(&requested(file, library)).map_or(0, |text| text.len());
    files.iter().map(bytes).sum()
}

/// A waiting upload of this. What is not known is so until it is asked for again.
pub(super) fn upload(id: IntroductionId, username: Username, item: Option<RequestedFile>) -> Upload {
    let (name, size, folder) = item.map_or_else(
        || (SafeName::sanitise("(not known yet)"), 0, None),
        |item| (item.name, item.size, item.folder),
    );
    Upload {
        id: id.to_string(),
        name,
        size,
        sent: 0,
        state: UploadState::Queued,
        username,
        bytes_per_second: 0,
        position: None,
        reason: None,
        route: None,
        folder,
    }
}
