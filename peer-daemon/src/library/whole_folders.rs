//! The folders of an index that are offered as a whole, where their owner said so.
//!
//! A folder is a range of the index's entries. Its listing is made to learn its identity, and again when somebody asks
//! for it, and not kept: a folder costs no more memory than a file. Its identity is taken over from the index before,
//! as long as its entries are the same ones.

use std::{ops::Range, path::Path, sync::Arc};

use protocol::{
    FileId, FolderContent, FolderSummary, SafeName,
    folder::{self, Listing},
    match_rule::FoldedName,
    search::Match,
};

use super::{
    folder_tree::{Span, TooLarge, listing, listing_bytes, spans},
    index::Entry,
    path_guard::Location,
};

/// A folder that is offered as a whole.
#[derive(Debug)]
pub(super) struct WholeFolder {
    /// With a separator at the end (none for the share itself), as the paths in it begin.
    pub(super) location: Location,
    pub(super) name: SafeName,
    pub(super) folded: FoldedName,
    /// Of its listing.
    pub(super) file: FileId,
    pub(super) summary: FolderSummary,
}

impl WholeFolder {
    pub(super) fn to_match(&self) -> Match {
        let FileId { root, size } = self.file;
        Match { name: self.name.clone(), size, root, folder: Some(self.summary) }
    }

    fn depth(&self) -> usize {
        self.location.path.iter().count()
    }
}

#[derive(Debug, Default)]
pub(super) struct WholeFolders {
    /// Sorted by location, each with its entries' positions in the index.
    folders: Vec<(Arc<WholeFolder>, Range<usize>)>,
    /// Positions in `folders`, sorted by identity, then name.
    by_file: Vec<usize>,
    /// Where there is too much to be offered as a whole; sorted.
    too_large: Vec<Location>,
    /// Folders with files that are still to be read; sorted. What they are in is not offered as a whole yet.
    unread: Vec<Location>,
}

/// An index's entries, and what was known of them before.
pub(super) struct Before<'a> {
    pub(super) entries: &'a [Arc<Entry>],
    pub(super) folders: &'a WholeFolders,
}

impl WholeFolders {
    /// The folders of these shares, over an index's sorted entries. `unread` are the folders with files that are not
    /// among the entries yet, and will be.
    pub(super) fn new(
        entries: &[Arc<Entry>],
        shares: &[Arc<Path>],
        mut unread: Vec<Location>,
        before: &Before<'_>,
    ) -> Self {
        unread.sort_unstable();
        unread.dedup();
        let mut all = Self { unread, ..Self::default() };
        for share in shares {
            let start = entries.partition_point(|entry| entry.location.share < *share);
            let length = entries[start..].partition_point(|entry| entry.location.share == *share);
            let paths = entries[start..start + length].iter().map(|entry| entry.location.path.as_path());
            for Span { depth, files } in spans(paths) {
                all.add(entries, depth, start + files.start..start + files.end, before);
            }
        }
        all.folders.sort_by(|(a, _), (b, _)| a.location.cmp(&b.location));
        all.too_large.sort_unstable();
        all.by_file = (0..all.folders.len()).collect();
        all.by_file.sort_by(|&a, &b| {
            let key = |position: usize| (&all.folders[position].0.file, &all.folders[position].0.name);
            key(a).cmp(&key(b))
        });
        all
    }

    fn add(&mut self, entries: &[Arc<Entry>], depth: usize, range: Range<usize>, before: &Before<'_>) {
        let its = &entries[range.clone()];
        let location = of_span(its, depth);
        if starts_one_of(&location, &self.unread) {
            return;
        }
        let same = before.folders.at(&location).filter(|(_, before_range)| {
            let before = &before.entries[before_range.clone()];
            before.len() == its.len() && before.iter().zip(its).all(|(a, b)| Arc::ptr_eq(a, b))
        });
        if let Some((folder, _)) = same {
            self.folders.push((Arc::clone(folder), range));
            return;
        }
        match identify(its, depth) {
            Ok((file, summary)) => {
                let path = location.share.join(&location.path);
                let name = SafeName::sanitise(&path.file_name().unwrap_or_default().to_string_lossy());
                let folded = FoldedName::new(name.as_str());
                self.folders.push((Arc::new(WholeFolder { location, name, folded, file, summary }), range));
            }
            Err(TooLarge) => self.too_large.push(location),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<WholeFolder>> {
        self.folders.iter().map(|(folder, _)| folder)
    }

    pub(super) fn too_large(&self) -> &[Location] {
        &self.too_large
    }

    pub(super) fn unread(&self) -> &[Location] {
        &self.unread
    }

    /// The folder at a location, and the positions of its entries.
    pub(super) fn at(&self, location: &Location) -> Option<&(Arc<WholeFolder>, Range<usize>)> {
        let position = self.folders.binary_search_by(|(folder, _)| folder.location.cmp(location)).ok()?;
        self.folders.get(position)
    }

    /// All folders with this listing, those of one name side by side.
    pub(super) fn of_file(&self, file: &FileId) -> impl Iterator<Item = &(Arc<WholeFolder>, Range<usize>)> {
        let start = self.by_file.partition_point(|&position| self.folders[position].0.file < *file);
        let found = self.by_file[start..].iter().map(|&position| &self.folders[position]);
        found.take_while(|(folder, _)| folder.file == *file)
    }

    /// One for each identity and name.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Arc<WholeFolder>> {
        let mut last = None;
        self.by_file.iter().map(|&position| &self.folders[position].0).filter(move |folder| {
            let offer = Some((folder.file, &folder.name));
            std::mem::replace(&mut last, offer) != offer
        })
    }
}

/// Makes the listing of a folder again.
pub(super) fn list(folder: &WholeFolder, entries: &[Arc<Entry>]) -> Result<Vec<u8>, TooLarge> {
    listing_bytes(&listing_of(entries, folder.depth())?)
}

/// What is in a folder, by its listing.
pub(super) fn content(folder: &WholeFolder, entries: &[Arc<Entry>]) -> Result<FolderContent, TooLarge> {
    Ok(FolderContent::of(&listing_of(entries, folder.depth())?))
}

fn identify(entries: &[Arc<Entry>], depth: usize) -> Result<(FileId, FolderSummary), TooLarge> {
    let listing = listing_of(entries, depth)?;
    let file = folder::identity(&listing_bytes(&listing)?).ok_or(TooLarge)?;
    Ok((file, listing.summary()))
}

fn listing_of(entries: &[Arc<Entry>], depth: usize) -> Result<Listing, TooLarge> {
    listing(entries.iter().map(|entry| (entry.location.path.as_path(), entry.file)), depth)
}

/// Where a folder with these entries is.
fn of_span(entries: &[Arc<Entry>], depth: usize) -> Location {
    let first = &entries[0].location;
    Location { share: Arc::clone(&first.share), path: first.path.iter().take(depth).collect() }.as_folder()
}

/// Whether one of the sorted locations is the folder, or below it.
fn starts_one_of(folder: &Location, sorted: &[Location]) -> bool {
    let first = sorted.partition_point(|location| location < folder);
    sorted.get(first).is_some_and(|location| location.is_below(folder))
}

#[cfg(test)]
#[path = "whole_folders_tests.rs"]
mod tests;
