//! The index over all shares: an immutable snapshot, replaced as a whole, that answers searches.
//!
//! Names are folded when a file enters the index. A search reads through all of them for the query's longest word, and
//! classes only the names that contain it.

use std::{cmp::Ordering, path::Path, sync::Arc};

use protocol::{
    FileId, SafeName,
    match_rule::{FoldedName, MatchClass, Query},
    search::{Match, Subject},
};

use super::{
    hasher::Stamp,
    names::Names,
    path_guard::Location,
    whole_folders::{Before, WholeFolder, WholeFolders},
};

/// One path at which a file was found and hashed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) location: Location,
    /// What the file looked like when it was hashed.
    pub(super) stamp: Stamp,
    pub(super) file: FileId,
    /// Under which it is offered.
    pub(super) name: SafeName,
    folded: FoldedName,
}

impl Entry {
    pub(super) fn new(location: Location, stamp: Stamp, file: FileId) -> Self {
        let name = SafeName::sanitise(&location.path.file_name().unwrap_or_default().to_string_lossy());
        let folded = FoldedName::new(name.as_str());
        Self { location, stamp, file, name, folded }
    }

    /// What others can tell entries apart by.
    fn offer(&self) -> (&FileId, &SafeName) {
        (&self.file, &self.name)
    }

    fn to_match(&self) -> Match {
        Match { name: self.name.clone(), size: self.file.size, root: self.file.root, folder: None }
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// One for each location, sorted by it.
    entries: Vec<Arc<Entry>>,
    /// Positions in `entries`, sorted by file, then name, then location.
    by_file: Vec<usize>,
    /// Positions of the first entry of each file and name, sorted: what others get to see, each once.
    offered: Vec<usize>,
    /// Those that are offered as a whole.
    folders: WholeFolders,
    /// What others get to see of them, each once.
    offered_folders: Vec<Arc<WholeFolder>>,
    /// The folded names of folders and files offered, in their order.
    names: Names,
}

/// What is offered: a file, or a folder as a whole.
#[derive(Clone, Copy)]
enum Item<'a> {
    Folder(&'a WholeFolder),
    File(&'a Entry),
}

impl Item<'_> {
    fn folded(&self) -> &FoldedName {
        match self {
            Self::Folder(folder) => &folder.folded,
            Self::File(entry) => &entry.folded,
        }
    }

    fn to_match(self) -> Match {
        match self {
            Self::Folder(folder) => folder.to_match(),
            Self::File(entry) => entry.to_match(),
        }
    }
}

impl Index {
    /// `whole` are the shares whose folders are offered as a whole; `unread` are the folders with files that are not
    /// among the entries yet, and will be. What has not changed since the index before is taken over from it.
    pub(super) fn new(
        mut entries: Vec<Arc<Entry>>,
        whole: &[Arc<Path>],
        unread: Vec<Location>,
        before: &Self,
    ) -> Self {
        entries.sort_by(|a, b| a.location.cmp(&b.location));
        entries.dedup_by(|a, b| a.location == b.location);
        let mut by_file: Vec<_> = (0..entries.len()).collect();
        by_file.sort_by(|&a, &b| entries[a].offer().cmp(&entries[b].offer()));
        let mut offered = by_file.clone();
        offered.dedup_by(|a, b| entries[*a].offer() == entries[*b].offer());
        offered.sort_unstable();
        let before = Before { entries: &before.entries, folders: &before.folders };
        let folders = WholeFolders::new(&entries, whole, unread, &before);
        let mut offered_folders: Vec<_> = folders.offered().cloned().collect();
        offered_folders.sort_by(|a, b| a.location.cmp(&b.location));
        let files = offered.iter().map(|&position| entries[position].folded.as_str());
        let names = offered_folders.iter().map(|folder| folder.folded.as_str()).chain(files).collect();
        Self { entries, by_file, offered, folders, offered_folders, names }
    }

    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    pub(super) fn at(&self, location: &Location) -> Option<&Arc<Entry>> {
        let position = self.entries.binary_search_by(|entry| entry.location.cmp(location)).ok()?;
        self.entries.get(position)
    }

    /// Whether files are in the folder that was at this location.
    pub(super) fn has_below(&self, location: &Location) -> bool {
        let folder = &location.as_folder();
        let first = self.entries.partition_point(|entry| entry.location < *folder);
        self.entries.get(first).is_some_and(|entry| entry.location.is_below(folder))
    }

    pub(super) fn folders(&self) -> &WholeFolders {
        &self.folders
    }

    /// A folder with this listing, and its entries.
    pub(super) fn folder_of(&self, file: &FileId) -> Option<(&Arc<WholeFolder>, &[Arc<Entry>])> {
        self.folders.of_file(file).next().map(|(folder, range)| (folder, &self.entries[range.clone()]))
    }

    /// The folder at a location that is one's, and its entries.
    pub(super) fn folder_at(&self, location: &Location) -> Option<(&Arc<WholeFolder>, &[Arc<Entry>])> {
        self.folders.at(location).map(|(folder, range)| (folder, &self.entries[range.clone()]))
    }

    /// Each file that one of these folders has, with that folder.
    pub(super) fn files_within(&self, folders: &[FileId]) -> impl Iterator<Item = (FileId, FileId)> {
        let first =
            |file: &FileId| self.folders.of_file(file).next().map(|(_, range)| (range.clone(), *file));
        let mut ranges: Vec<_> = folders.iter().filter_map(first).collect();
        // Ranges are in one another, or apart. Those in another one have nothing to add.
        ranges.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut end = 0;
        ranges.retain(|(range, _)| {
            let adds = range.end > end;
            end = end.max(range.end);
            adds
        });
        ranges
            .into_iter()
            .flat_map(|(range, folder)| self.entries[range].iter().map(move |entry| (entry.file, folder)))
    }

    /// All entries of a file, those of one name side by side.
    pub(super) fn of_file(&self, file: &FileId) -> impl Iterator<Item = &Arc<Entry>> {
        let start =
            self.by_file.partition_point(|&position| self.entries[position].file.cmp(file) == Ordering::Less);
        self.by_file[start..]
            .iter()
            .map(|&position| &self.entries[position])
            .take_while(|entry| entry.file == *file)
    }

    /// What is offered: one for each file and name.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.offered.iter().map(|&position| &self.entries[position])
    }

    pub(super) fn offered_bytes(&self) -> u64 {
        self.offered().map(|entry| entry.file.size).sum()
    }

    /// At most `limit` matches, exact ones first, in each class folders before files.
    pub(super) fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        match subject {
            Subject::File(file) => {
                let folders = self.folders.of_file(file).map(|(folder, _)| Item::Folder(folder).to_match());
                let mut matches: Vec<_> =
                    folders.chain(self.of_file(file).map(|entry| entry.to_match())).collect();
                matches.dedup();
                matches.truncate(limit);
                matches
            }
            Subject::Query(query) => self.search_names(query, limit),
        }
    }

    fn search_names(&self, query: &Query, limit: usize) -> Vec<Match> {
        let (mut exact, mut substring) = (Vec::new(), Vec::new());
        let folded = FoldedName::new(query.as_str());
        // Every name that matches contains each word of the query; the longest one is in the fewest.
        let word = folded.as_str().split(' ').max_by_key(|word| word.len()).unwrap_or_default();
        for (position, name) in self.names.containing(word) {
            // An answer full of substrings changes only by an exact match, which begins as the query does.
            if substring.len() >= limit && !name.starts_with(folded.as_str()) {
                continue;
            }
            let Some(item) = self.item(position) else { continue };
            match query.classify(item.folded()) {
                Some(MatchClass::Exact) => exact.push(item),
                Some(MatchClass::Substring) if substring.len() < limit => substring.push(item),
                Some(MatchClass::Substring) | None => {}
            }
            if exact.len() >= limit {
                break;
            }
        }
        exact.into_iter().chain(substring).take(limit).map(Item::to_match).collect()
    }

    /// What a name stands for.
    fn item(&self, position: usize) -> Option<Item<'_>> {
        match position.checked_sub(self.offered_folders.len()) {
            None => self.offered_folders.get(position).map(|folder| Item::Folder(folder)),
            Some(position) => self.entries.get(*self.offered.get(position)?).map(|entry| Item::File(entry)),
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
