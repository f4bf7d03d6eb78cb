//! Looks at files and folders from outside, before and after they are shared: what would others see of this
//! folder, and what is the link to this file.

use std::{path::Path, sync::Arc};

use protocol::{
    SafeName,
    control::{FileLink, PreviewedFile, SCHEMA, SharePreview},
    link::Link,
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    Library, LibraryError,
    path_guard::{self, Location},
    shares,
    walker::{self, Walked},
};

/// Names in a preview: more than a person reads, and few enough for one answer.
const NAMES_MAX: usize = 1_000;

#[derive(Debug, Error)]
pub(crate) enum PreviewError {
    #[error(transparent)]
    Unusable(#[from] LibraryError),
    #[error("looking through the folder takes too long; preview a folder inside it")]
    TooLong,
}

/// Why there is no link to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NoLink {
    #[error("there is nothing at this path")]
    Missing,
    #[error("it is not a file; links are to single files")]
    NotAFile,
    #[error("it is in no share; share its folder: peerctl share add FOLDER")]
    Outside,
    #[error("it is in a share and not read yet; try again when `peerctl status` is done with reading")]
    NotRead,
    #[error("hidden files, unfinished downloads and links are never shared; give it another name")]
    PassedOver,
}

impl Library {
    /// What others would see of a folder if it were shared. Blocks, until cancelled at the latest.
    pub(crate) fn preview(
        &self,
        path: &Path,
        token: &CancellationToken,
    ) -> Result<SharePreview, PreviewError> {
        preview(path, self.shared.state.dir(), token)
    }

    /// The link to a shared file. Blocks.
    pub(crate) fn link(&self, path: &Path) -> Result<FileLink, NoLink> {
        let path = path.canonicalize().map_err(|_| NoLink::Missing)?;
        if !path.is_file() {
            return Err(NoLink::NotAFile);
        }
        let inside = |share: Arc<Path>| {
            let path = path.strip_prefix(&share).ok()?.to_owned();
            Some(Location { share, path })
        };
        let locations: Vec<_> = self.shared.folders().into_iter().filter_map(inside).collect();
        if locations.is_empty() {
            return Err(NoLink::Outside);
        }
        let index = self.shared.index();
        let entry = locations
            .iter()
            .filter_map(|location| index.at(location))
            .find(|entry| path_guard::open(&entry.location).is_ok_and(|(_, stamp)| stamp == entry.stamp));
        if let Some(entry) = entry {
            let link = Link { file: entry.file, name: entry.name.clone() };
            let (size, root) = (entry.file.size, entry.file.root);
            return Ok(FileLink { schema: SCHEMA, link: link.to_string(), name: link.name, size, root });
        }
        let is_shareable = |location: &Location| {
            !location.path.components().any(|part| walker::is_passed_over(part.as_os_str()))
        };
        if !locations.iter().any(is_shareable) {
            return Err(NoLink::PassedOver);
        }
        self.shared.ask(locations);
        Err(NoLink::NotRead)
    }
}

/// What others would see of a folder if a daemon with this state shared it. Blocks, until cancelled at the latest.
pub(crate) fn preview(
    path: &Path,
    state_dir: &Path,
    token: &CancellationToken,
) -> Result<SharePreview, PreviewError> {
    let folder = shares::check(path, state_dir)?;
    let mut walked =
        walker::walk(&[Arc::clone(&folder)], token).map_err(|walker::Cancelled| PreviewError::TooLong)?;
    walked.found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
    Ok(document(&folder, &walked))
}

fn document(folder: &Path, walked: &Walked) -> SharePreview {
    let file = |found: &walker::Found| PreviewedFile {
        name: SafeName::sanitise(&found.location.path.file_name().unwrap_or_default().to_string_lossy()),
        size: found.stamp.size,
    };
    SharePreview {
        schema: SCHEMA,
        path: folder.to_string_lossy().into_owned(),
        files: walked.found.len() as u64,
        bytes: walked.found.iter().map(|found| found.stamp.size).sum(),
        first: walked.found.iter().take(NAMES_MAX).map(file).collect(),
        hidden: walked.hidden,
        links: walked.links,
        others: walked.others,
        unreadable: walked.unreadable,
        beyond_limits: walked.beyond_limits,
    }
}
