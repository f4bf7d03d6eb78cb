//! Looks at files and folders from outside, before and after they are shared: what would others see of this
//! folder, and what is the link to this file.

use std::{path::Path, sync::Arc};

use protocol::{
    FileId, Root, SafeName,
    control::{FileLink, PreviewedFile, SCHEMA, SharePreview},
    link::Link,
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::{
    Library, LibraryError, SharedFile,
    folder_tree::{self, Span, TooLarge},
    path_guard::{self, Location},
    shares::{self, Share},
    walker::{self, Found, Walked},
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
    #[error("it is neither a file nor a folder")]
    NotAFile,
    #[error(
        "it is a folder that is not offered as a whole; to offer it so: peerctl share add --folders FOLDER"
    )]
    NotWhole,
    #[error("there is too much in the folder to offer it as a whole; make links to the folders in it")]
    TooLarge,
    #[error("no file in this folder is shared")]
    Empty,
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
        let preview = preview(path, self.shared.state.dir(), token)?;
        let folder = Path::new(&preview.path);
        let folders =
            self.shared.shares().iter().any(|share| share.is_whole && folder.starts_with(&share.folder));
        Ok(SharePreview { folders, ..preview })
    }

    /// The link to a shared file, or to a folder that is offered as a whole. Blocks.
    pub(crate) fn link(&self, path: &Path) -> Result<FileLink, NoLink> {
        let path = path.canonicalize().map_err(|_| NoLink::Missing)?;
        let metadata = path.metadata().map_err(|_| NoLink::Missing)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(NoLink::NotAFile);
        }
        let inside = |share: &Share| {
            let path = path.strip_prefix(&share.folder).ok()?.to_owned();
            Some((Location { share: Arc::clone(&share.folder), path }, share.is_whole))
        };
        let locations: Vec<_> = self.shared.shares().iter().filter_map(inside).collect();
        if locations.is_empty() {
            return Err(NoLink::Outside);
        }
        let is_shareable = |(location, _): &(Location, bool)| {
            !location.path.components().any(|part| walker::is_passed_over(part.as_os_str()))
        };
        if !locations.iter().any(is_shareable) {
            return Err(NoLink::PassedOver);
        }
        let found = if metadata.is_dir() {
            self.link_to_folder(&locations)
        } else {
            self.link_to_file(locations.into_iter().map(|(location, _)| location).collect())
        };
        found.map(|SharedFile { name, file, folder }| {
            let (size, root) = (file.size, file.root);
            let link = Link { file, name, is_folder: folder.is_some() };
            FileLink { schema: SCHEMA, link: link.to_string(), name: link.name, size, root, folder }
        })
    }

    fn link_to_file(&self, locations: Vec<Location>) -> Result<SharedFile, NoLink> {
        let index = self.shared.index();
        let entry = locations
            .iter()
            .filter_map(|location| index.at(location))
            .find(|entry| path_guard::open(&entry.location).is_ok_and(|(_, stamp)| stamp == entry.stamp));
        let Some(entry) = entry else {
            self.shared.ask(locations);
            return Err(NoLink::NotRead);
        };
        Ok(SharedFile { name: entry.name.clone(), file: entry.file, folder: None })
    }

    fn link_to_folder(&self, locations: &[(Location, bool)]) -> Result<SharedFile, NoLink> {
        let index = self.shared.index();
        let whole =
            locations.iter().filter(|(_, is_whole)| *is_whole).map(|(location, _)| location.as_folder());
        let whole: Vec<_> = whole.collect();
        if whole.is_empty() {
            return Err(NoLink::NotWhole);
        }
        for location in &whole {
            if index.folders().too_large().binary_search(location).is_ok() {
                return Err(NoLink::TooLarge);
            }
            let Some((folder, entries)) = index.folder_at(location) else { continue };
            if self.shared.look_through(folder, entries).is_ok() {
                let (name, file) = (folder.name.clone(), folder.file);
                return Ok(SharedFile { name, file, folder: Some(folder.summary) });
            }
            return Err(NoLink::NotRead);
        }
        let is_settled = !self.summary().scanning && !whole.iter().any(|location| index.has_below(location));
        Err(if is_settled { NoLink::Empty } else { NoLink::NotRead })
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
    let folders = count_folders(&walked.found, token)?;
    Ok(document(&folder, &walked, folders))
}

fn document(folder: &Path, walked: &Walked, (whole_folders, too_large_folders): (u64, u64)) -> SharePreview {
    let file = |found: &Found| PreviewedFile {
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
        folders: false,
        whole_folders,
        too_large_folders,
    }
}

/// How many folders of one share could be offered as a whole, and how many could not. A root is as long as any other, so
/// nothing has to be read.
fn count_folders(found: &[Found], token: &CancellationToken) -> Result<(u64, u64), PreviewError> {
    let (mut whole, mut too_large) = (0, 0);
    for Span { depth, files } in folder_tree::spans(found.iter().map(|found| found.location.path.as_path())) {
        if token.is_cancelled() {
            return Err(PreviewError::TooLong);
        }
        let file = |found| {
            let Found { location, stamp }: &Found = found;
            (location.path.as_path(), FileId { root: Root::from_bytes([0; 32]), size: stamp.size })
        };
        let listing = folder_tree::listing(found[files].iter().map(file), depth);
        match listing.and_then(|listing| folder_tree::listing_bytes(&listing)) {
            Ok(_) => whole += 1,
            Err(TooLarge) => too_large += 1,
        }
    }
    Ok((whole, too_large))
}
