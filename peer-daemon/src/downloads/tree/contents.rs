//! The files of a folder, and where each of them is on the disk.
//!
//! Pure. Paths that differ may be one on some file system ([`Names`]), and then one file would be lost: within each
//! folder, names that fold together are numbered apart, the same way each time.

use std::collections::HashMap;

use protocol::{
    FileId, FolderContent, FolderSummary, SafeName,
    folder::{Listing, ListingError, RelativePath},
    root::PieceLayer,
};

use crate::downloads::{assemble::part_name, names::Names};

/// The files of one folder, by number.
#[derive(Debug)]
pub(crate) struct Contents {
    files: Vec<ContainedFile>,
    summary: FolderSummary,
    content: FolderContent,
}

#[derive(Debug)]
pub(crate) struct ContainedFile {
    pub(crate) id: FileId,
    /// As the listing has it: what a person is told.
    pub(crate) path: RelativePath,
    pub(crate) place: Place,
}

/// Where a file is below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) folders: Vec<SafeName>,
    pub(crate) name: SafeName,
    /// The name of a large file that is not whole yet.
    pub(crate) part: SafeName,
}

impl ContainedFile {
    /// Small files are received whole: their root is the hash of the one piece that they have.
    pub(crate) fn is_small(&self) -> bool {
        self.id.piece_count() <= 1
    }
}

impl Contents {
    pub(crate) fn read(listing: &[u8]) -> Result<Self, ListingError> {
        let listing = Listing::from_bytes(listing)?;
        let summary = listing.summary();
        let mut folders = Folders::default();
        let mut files = Vec::with_capacity(listing.files().len());
        for listed in listing.files() {
            let id = listed.id().ok_or(ListingError::Malformed)?;
            // Nobody could serve such a file, and it is not asked for.
            if id.size == 0 && PieceLayer::verify(&id, &[]).is_err() {
                return Err(ListingError::Malformed);
            }
            let folder = folders.enter(listed.path.folders());
            let name = folders.all[folder].names.add(listed.path.name());
            let place = Place { folders: folders.all[folder].path.clone(), part: name.clone(), name };
            files.push((ContainedFile { id, path: listed.path.clone(), place }, folder));
        }
        // After all others, so that no file of the listing has such a name.
        for (file, folder) in &mut files {
            if !file.is_small() {
                file.place.part = folders.all[*folder].names.add(&part_name(&file.place.name));
            }
        }
        let content = FolderContent::of(&listing);
        Ok(Self { files: files.into_iter().map(|(file, _)| file).collect(), summary, content })
    }

    pub(crate) fn files(&self) -> &[ContainedFile] {
        &self.files
    }

    /// The files as one sequence of bytes.
    pub(crate) fn content(&self) -> &FolderContent {
        &self.content
    }

    pub(crate) fn summary(&self) -> FolderSummary {
        self.summary
    }

    /// All folders below the folder, each after the one that it is in.
    pub(crate) fn folders(&self) -> Vec<&[SafeName]> {
        let paths = self.files.iter().flat_map(|file| {
            let folders = &file.place.folders[..];
            (1..=folders.len()).map(move |depth| &folders[..depth])
        });
        let mut paths: Vec<_> = paths.collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// The folders as they are named on the disk; the first is the one that all others are in.
struct Folders {
    all: Vec<Folder>,
}

#[derive(Default)]
struct Folder {
    path: Vec<SafeName>,
    names: Names,
    /// By the listing's names.
    within: HashMap<SafeName, usize>,
}

impl Default for Folders {
    fn default() -> Self {
        Self { all: vec![Folder::default()] }
    }
}

impl Folders {
    /// The folder that the listing calls so.
    fn enter(&mut self, path: &[SafeName]) -> usize {
        path.iter().fold(0, |folder, name| {
            if let Some(&known) = self.all[folder].within.get(name) {
                return known;
            }
            let number = self.all.len();
            let outer = &mut self.all[folder];
            outer.within.insert(name.clone(), number);
            let mut path = outer.path.clone();
            path.push(outer.names.add(name));
            self.all.push(Folder { path, ..Folder::default() });
            number
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::{collection::vec, prelude::*};
    use protocol::{Root, folder::ListedFile};

    use super::*;

    fn listed(path: &str, size: u64) -> Option<ListedFile> {
        let path = RelativePath::parse(path).ok()?;
        Some(ListedFile { path, size, root: Root::from_bytes([7; 32]) })
    }

    /// Of files with these paths and sizes.
    pub(in crate::downloads::tree) fn contents(files: &[(&str, u64)]) -> Contents {
        let files = files.iter().map(|(path, size)| listed(path, *size).unwrap()).collect();
        Contents::read(&Listing::new(files).unwrap().to_bytes()).unwrap()
    }

    fn path(place: &Place) -> String {
        let names = place.folders.iter().chain([&place.name]);
        names.map(SafeName::as_str).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn what_folds_together_is_numbered_apart_in_each_folder() {
        let contents = contents(&[("A/x", 1), ("a/x", 1), ("a/X", 1), ("b", 1), ("B/É", 1), ("B/é", 1)]);
        let paths: Vec<_> = contents.files().iter().map(|file| path(&file.place)).collect();
        assert_eq!(paths, ["A/x", "B/É", "B/é (2)", "a (2)/X", "a (2)/x (2)", "b (2)"]);
        let folders: Vec<_> = contents.folders().iter().map(|folder| folder[0].to_string()).collect();
        assert_eq!(folders, ["A", "B", "a (2)"]);
    }

    #[test]
    fn a_large_file_on_its_way_has_no_name_of_the_listing() {
        let contents = contents(&[("film", 3 << 20), ("film.part", 1), ("film (2).part", 1)]);
        let place = &contents.files()[0].place;
        assert_eq!((place.name.as_str(), place.part.as_str()), ("film", "film (3).part"));
    }

    #[test]
    fn an_empty_file_has_the_root_of_nothing() {
        let file = listed("empty", 0).unwrap();
        let listing = Listing::new(vec![file]).unwrap().to_bytes();
        assert_eq!(Contents::read(&listing).err(), Some(ListingError::Malformed));
    }

    proptest! {
        /// No two paths on the disk are one on a file system that folds names, no file is a folder, and what the
        /// listing has in one folder is in one folder.
        #[test]
        fn the_tree_has_a_place_for_every_file(paths in vec("[aAé](/[aAé]){0,2}", 1..12)) {
            let files: HashMap<_, _> = paths.iter().map(|path| (path.clone(), listed(path, 2).unwrap())).collect();
            let Ok(listing) = Listing::new(files.into_values().collect()) else { return Ok(()) };
            let contents = Contents::read(&listing.to_bytes()).unwrap();
            let fold = |names: &[SafeName]| -> Vec<String> { names.iter().map(SafeName::folding_key).collect() };
            let whole = |place: &Place| [&place.folders[..], std::slice::from_ref(&place.name)].concat();
            let files: HashSet<_> = contents.files().iter().map(|file| fold(&whole(&file.place))).collect();
            let folders: HashSet<_> = contents.folders().iter().map(|folder| fold(folder)).collect();
            prop_assert_eq!(files.len(), contents.files().len());
            prop_assert_eq!(folders.len(), contents.folders().len());
            prop_assert!(files.is_disjoint(&folders));
            let mut places: HashMap<&[SafeName], &[SafeName]> = HashMap::new();
            for file in contents.files() {
                let place = places.entry(file.path.folders()).or_insert(&file.place.folders);
                prop_assert_eq!(*place, &file.place.folders[..]);
            }
        }
    }
}
