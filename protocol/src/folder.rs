//! Whole folders: what is told of one in a search, and its listing.
//!
//! A folder is identified as a file is, by the (root, size) of its *listing*: a JSON document of the files in it, each
//! with its path, size and root. So whoever has verified the listing knows every file before a byte of it has come,
//! and a folder can be searched for by root, linked to, and taken from any peer that has the same one.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    FileId, Root, SafeName,
    limits::{FOLDER_BYTES_MAX, FOLDER_DEPTH_MAX, FOLDER_FILES_MAX, LISTING_BYTES_MAX},
    redacted::redacted_debug,
    root::FileHasher,
};

/// How much is in a folder, as its owner tells it in a search. The listing is what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "SummaryFields")]
pub struct FolderSummary {
    /// 1 to [`FOLDER_FILES_MAX`].
    pub files: u64,
    /// Of all files together, at most [`FOLDER_BYTES_MAX`].
    pub bytes: u64,
}

#[derive(Deserialize)]
struct SummaryFields {
    files: u64,
    bytes: u64,
}

impl TryFrom<SummaryFields> for FolderSummary {
    type Error = ListingError;

    fn try_from(SummaryFields { files, bytes }: SummaryFields) -> Result<Self, Self::Error> {
        let is_one = (1..=FOLDER_FILES_MAX as u64).contains(&files) && bytes <= FOLDER_BYTES_MAX;
        is_one.then_some(Self { files, bytes }).ok_or(ListingError::Extent)
    }
}

/// Where a file is in its folder: safe names, joined by `/`, without a way up or out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(Vec<SafeName>);

redacted_debug!(RelativePath);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the path within the folder is not safe")]
pub struct UnsafePath;

impl RelativePath {
    /// `None` for no names at all, or more than [`FOLDER_DEPTH_MAX`].
    pub fn new(names: Vec<SafeName>) -> Option<Self> {
        (1..=FOLDER_DEPTH_MAX).contains(&names.len()).then_some(Self(names))
    }

    pub fn parse(text: &str) -> Result<Self, UnsafePath> {
        let names = text.split('/').take(FOLDER_DEPTH_MAX + 1).map(SafeName::parse);
        let names = names.collect::<Result<_, _>>().map_err(|_| UnsafePath)?;
        Self::new(names).ok_or(UnsafePath)
    }

    /// The folders that lead to the file, from the outermost.
    pub fn folders(&self) -> &[SafeName] {
        &self.0[..self.0.len() - 1]
    }

    /// The file's own name.
    pub fn name(&self) -> &SafeName {
        // Never empty: see the constructor.
        &self.0[self.0.len() - 1]
    }
}

impl std::fmt::Display for RelativePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for folder in self.folders() {
            write!(f, "{folder}/")?;
        }
        write!(f, "{}", self.name())
    }
}

impl TryFrom<String> for RelativePath {
    type Error = UnsafePath;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.to_string()
    }
}

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFile {
    pub path: RelativePath,
    pub size: u64,
    pub root: Root,
}

impl ListedFile {
    /// `None` where the size is out of range; never so for a file of a [`Listing`].
    pub fn id(&self) -> Option<FileId> {
        FileId::new(self.root, self.size).ok()
    }
}

/// The files of a folder, sorted by path, each path once, and none that is another one's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    files: Vec<ListedFile>,
    summary: FolderSummary,
}

/// Why a listing is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ListingError {
    #[error("the listing can't be read")]
    Malformed,
    #[error("the listing is longer than {LISTING_BYTES_MAX} bytes")]
    TooLong,
    #[error("a folder has 1 to {FOLDER_FILES_MAX} files, of {FOLDER_BYTES_MAX} bytes in all at most")]
    Extent,
    #[error("the listing has a path twice, or a file for a folder")]
    Paths,
}

#[derive(Serialize, Deserialize)]
struct ListingText {
    files: Vec<ListedFile>,
}

impl Listing {
    /// Files in any order.
    pub fn new(mut files: Vec<ListedFile>) -> Result<Self, ListingError> {
        if files.is_empty() || files.len() > FOLDER_FILES_MAX {
            return Err(ListingError::Extent);
        }
        if files.iter().any(|file| file.id().is_none()) {
            return Err(ListingError::Malformed);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        check_paths(&files)?;
        let bytes = files.iter().fold(0_u64, |bytes, file| bytes.saturating_add(file.size));
        if bytes > FOLDER_BYTES_MAX {
            return Err(ListingError::Extent);
        }
        let summary = FolderSummary { files: files.len() as u64, bytes };
        Ok(Self { files, summary })
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, or whoever writes it in another order or with more fields: the
    /// identity is that of the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListingError> {
        if bytes.len() as u64 > LISTING_BYTES_MAX {
            return Err(ListingError::TooLong);
        }
        let text: ListingText = serde_json::from_slice(bytes).map_err(|_| ListingError::Malformed)?;
        Self::new(text.files)
    }

    /// The document, the same for the same files.
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = ListingText { files: self.files.clone() };
        serde_json::to_vec(&text).unwrap_or_default()
    }

    pub fn files(&self) -> &[ListedFile] {
        &self.files
    }

    pub fn summary(&self) -> FolderSummary {
        self.summary
    }
}

/// The identity of a folder: that of its listing's bytes. `None` where they are too long to be one.
pub fn identity(listing: &[u8]) -> Option<FileId> {
    let size = u64::try_from(listing.len()).ok().filter(|&size| size <= LISTING_BYTES_MAX)?;
    let mut hasher = FileHasher::new(size);
    hasher.update(listing);
    hasher.finish().ok().map(|(file, _)| file)
}

/// Sorted files: a path that is there twice has itself for a neighbour.
fn check_paths(files: &[ListedFile]) -> Result<(), ListingError> {
    let is_twice = files.windows(2).any(|pair| pair[0].path == pair[1].path);
    let paths: HashSet<&[SafeName]> = files.iter().map(|file| &file.path.0[..]).collect();
    let is_folder_too = files.iter().any(|file| {
        let folders = file.path.folders();
        (1..=folders.len()).any(|depth| paths.contains(&folders[..depth]))
    });
    if is_twice || is_folder_too { Err(ListingError::Paths) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn file(path: &str, size: u64) -> ListedFile {
        ListedFile { path: RelativePath::parse(path).unwrap(), size, root: Root::from_bytes([7; 32]) }
    }

    #[test]
    fn a_path_leads_down_by_safe_names_only() {
        for path in ["a", "a/b c/d.txt", "ä/語"] {
            assert_eq!(RelativePath::parse(path).unwrap().to_string(), path);
        }
        let deep = vec!["d"; FOLDER_DEPTH_MAX].join("/");
        assert!(RelativePath::parse(&deep).is_ok());
        let deeper = format!("{deep}/d");
        for path in
            ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a/.hidden", "CON/a", "a\n", &deeper]
        {
            assert_eq!(RelativePath::parse(path), Err(UnsafePath), "{path:?}");
        }
        assert_eq!(RelativePath::new(vec![]), None);
    }

    #[test]
    fn a_listing_has_the_same_bytes_for_the_same_files_in_any_order() {
        let files = [file("b/x", 3), file("a", 0), file("b/c/y", 5)];
        let listing = Listing::new(files.to_vec()).unwrap();
        let reversed = Listing::new(files.iter().rev().cloned().collect()).unwrap();
        assert_eq!(listing.to_bytes(), reversed.to_bytes());
        assert_eq!(Listing::from_bytes(&listing.to_bytes()), Ok(listing.clone()));
        assert_eq!(listing.summary(), FolderSummary { files: 3, bytes: 8 });
        let mut hasher = FileHasher::new(listing.to_bytes().len() as u64);
        hasher.update(&listing.to_bytes());
        assert_eq!(identity(&listing.to_bytes()), Some(hasher.finish().unwrap().0));
    }

    #[test]
    fn what_could_not_be_written_as_it_is_listed_is_no_listing() {
        assert_eq!(Listing::new(vec![]), Err(ListingError::Extent));
        assert_eq!(Listing::new(vec![file("a", 1); 2]), Err(ListingError::Paths));
        assert_eq!(Listing::new(vec![file("a", 1), file("a/b", 1)]), Err(ListingError::Paths));
        assert_eq!(
            Listing::new(vec![file("a/b/c", 1), file("a.b", 1), file("a", 1)]),
            Err(ListingError::Paths)
        );
        assert_eq!(Listing::new(vec![file("a", u64::MAX)]), Err(ListingError::Malformed));
        let of_bytes = |rest| Listing::new(vec![file("a", FOLDER_BYTES_MAX), file("b", rest)]);
        assert_eq!((of_bytes(0).is_ok(), of_bytes(1)), (true, Err(ListingError::Extent)));
        // Their sum is more than a `u64` holds.
        let huge = (0..2_049).map(|number| file(&number.to_string(), FOLDER_BYTES_MAX)).collect();
        assert_eq!(Listing::new(huge), Err(ListingError::Extent));
        let many = (0..=FOLDER_FILES_MAX).map(|number| file(&number.to_string(), 1)).collect();
        assert_eq!(Listing::new(many), Err(ListingError::Extent));
        for text in ["", "[]", "{}", r#"{"files":[{"path":"../a","size":1,"root":"00"}]}"#] {
            assert_eq!(Listing::from_bytes(text.as_bytes()), Err(ListingError::Malformed), "{text}");
        }
        let mut blank = vec![b' '; usize::try_from(LISTING_BYTES_MAX).unwrap()];
        assert_eq!(Listing::from_bytes(&blank), Err(ListingError::Malformed));
        assert_eq!(identity(&blank).map(|file| file.size), Some(LISTING_BYTES_MAX));
        blank.push(b' ');
        assert_eq!(Listing::from_bytes(&blank), Err(ListingError::TooLong));
        assert_eq!(identity(&blank), None);
    }

    #[test]
    fn what_is_told_of_a_folder_is_within_what_one_may_have() {
        let most = FOLDER_FILES_MAX as u64;
        for (files, bytes, is_one) in [
            (0, 0, false),
            (1, 0, true),
            (most, FOLDER_BYTES_MAX, true),
            (most + 1, 0, false),
            (1, FOLDER_BYTES_MAX + 1, false),
        ] {
            let told = format!(r#"{{"files":{files},"bytes":{bytes}}}"#);
            assert_eq!(serde_json::from_str::<FolderSummary>(&told).is_ok(), is_one, "{told}");
        }
    }

    #[test]
    fn the_largest_folder_with_ordinary_paths_fits_its_listing() {
        let name = "a folder of some length/another one of the same kind/01 a file with a name.flac";
        let files = (0..FOLDER_FILES_MAX).map(|number| file(&format!("{number}/{name}"), 1 << 30)).collect();
        assert!(Listing::new(files).unwrap().to_bytes().len() as u64 <= LISTING_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn a_listing_is_accepted_if_a_tree_can_hold_it(paths in vec("[ab](/[ab]){0,3}", 1..6)) {
            let files: Vec<_> = paths.iter().map(|path| file(path, 1)).collect();
            let collides = |(at, path): (usize, &String)| paths.iter().enumerate().any(|(other_at, other)| {
                other_at != at && (other == path || other.starts_with(&format!("{path}/")))
            });
            let fits = !paths.iter().enumerate().any(collides);
            prop_assert_eq!(Listing::new(files).is_ok(), fits);
        }
    }
}
