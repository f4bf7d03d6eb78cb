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

pub(super) fn requested(file: &FileId, library: &Library) -> RequestedFile {
    RequestedFile { name: name_of(file, library), size: file.size, root: file.root, folder: None }
}

/// A waiting upload of this file. A file that is not shared any more is shown without its name, and so is one
/// that will be known when it is asked for again.
pub(super) fn upload(
    id: IntroductionId,
    username: Username,
    file: Option<&FileId>,
    library: &Library,
) -> Upload {
    Upload {
        id: id.to_string(),
        name: file.map_or_else(|| SafeName::sanitise("(not known yet)"), |file| name_of(file, library)),
        size: file.map_or(0, |file| file.size),
        sent: 0,
        state: UploadState::Queued,
        username,
        bytes_per_second: 0,
        position: None,
        reason: None,
        route: None,
        folder: None,
    }
}

fn name_of(file: &FileId, library: &Library) -> SafeName {
    library.find(file).map_or_else(|| SafeName::sanitise("(no longer shared)"), |shared| shared.name)
}
