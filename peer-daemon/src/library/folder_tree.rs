//! Folders as trees of shared files: which there are, and the listing of each.
//!
//! All of it follows from the files' paths, sorted by their bytes: the files of a folder, at any depth, then lie side
//! by side, so a folder is a range of them.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    ops::Range,
    path::Path,
};

use protocol::{
    FileId, SafeName,
    folder::{ListedFile, Listing, RelativePath},
    limits::{FOLDER_FILES_MAX, LISTING_BYTES_MAX},
};
use thiserror::Error;

/// A folder that has files in it, or in folders in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Names from the share down to it: none for the share itself.
    pub(super) depth: usize,
    /// Which of the paths lead into it.
    pub(super) files: Range<usize>,
}

/// There is too much in the folder to offer it as a whole: files, folders in folders, or text to name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is too much in the folder to offer it as a whole")]
pub(super) struct TooLarge;

/// All folders of one share with files in them: the share first, and each before those in it.
pub(super) fn spans<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    // The folders that lead to the last path, by name and position in `spans`.
    let mut open: Vec<(&OsStr, usize)> = Vec::new();
    for (at, path) in paths.enumerate() {
        if spans.is_empty() {
            spans.push(Span { depth: 0, files: 0..0 });
        }
        let mut depth = 0;
        for name in path.parent().into_iter().flatten() {
            if open.get(depth).is_none_or(|(other, _)| *other != name) {
                open.truncate(depth);
                open.push((name, spans.len()));
                spans.push(Span { depth: depth + 1, files: at..at });
            }
            depth += 1;
        }
        open.truncate(depth);
        spans[0].files.end = at + 1;
        for &(_, span) in &open {
            spans[span].files.end = at + 1;
        }
    }
    spans
}

/// The listing of a folder that has these files, whose paths begin with the `depth` names that lead to it. Names are
/// made safe; where that makes one of two, the later one gets a number.
pub(super) fn listing<'a>(
    files: impl ExactSizeIterator<Item = (&'a Path, FileId)>,
    depth: usize,
) -> Result<Listing, TooLarge> {
    if files.len() > FOLDER_FILES_MAX {
        return Err(TooLarge);
    }
    let mut top = Names::default();
    let mut open: Vec<Folder<'a>> = Vec::new();
    let listed = files.map(|(path, file)| {
        let mut names = path.iter().skip(depth).peekable();
        let mut at = 0;
        while let Some(name) = names.next() {
            let is_file = names.peek().is_none();
            if !is_file && open.get(at).is_some_and(|folder| folder.name == name) {
                at += 1;
                continue;
            }
            open.truncate(at);
            let within = open.last_mut().map_or(&mut top, |folder| &mut folder.within);
            let given = within.give(name);
            if is_file {
                let names = open.iter().map(|folder| folder.given.clone()).chain([given]);
                let path = RelativePath::new(names.collect()).ok_or(TooLarge)?;
                return Ok(ListedFile { path, size: file.size, root: file.root });
            }
            open.push(Folder { name, given, within: Names::default() });
            at += 1;
        }
        // No name at all: no file has such a path.
        Err(TooLarge)
    });
    Listing::new(listed.collect::<Result<_, _>>()?).map_err(|_| TooLarge)
}

/// The bytes of a listing, if they are within their limit.
pub(super) fn listing_bytes(listing: &Listing) -> Result<Vec<u8>, TooLarge> {
    let bytes = listing.to_bytes();
    if bytes.len() as u64 <= LISTING_BYTES_MAX { Ok(bytes) } else { Err(TooLarge) }
}

struct Folder<'a> {
    /// On the disk, and in the listing.
    name: &'a OsStr,
    given: SafeName,
    within: Names,
}

/// The names that were given within one folder.
#[derive(Default)]
struct Names {
    taken: HashSet<SafeName>,
    /// The number to be tried next, for each name that was wanted more than once.
    next: HashMap<SafeName, u32>,
}

impl Names {
    fn give(&mut self, name: &OsStr) -> SafeName {
        let wanted = SafeName::sanitise(&name.to_string_lossy());
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let next = self.next.entry(wanted.clone()).or_insert(2);
        loop {
            let numbered = wanted.numbered(*next);
            *next += 1;
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        path::{Path, PathBuf},
    };

    use proptest::{collection::btree_set, prelude::*};
    use protocol::{FileId, Root, limits::FOLDER_DEPTH_MAX};

    use super::*;

    fn file(size: usize) -> FileId {
        FileId::new(Root::from_bytes([9; 32]), size as u64).unwrap()
    }

    fn listed(paths: &[&str], depth: usize) -> Result<Vec<String>, TooLarge> {
        let files = paths.iter().map(|path| (Path::new(path), file(path.len())));
        Ok(listing(files, depth)?.files().iter().map(|file| file.path.to_string()).collect())
    }

    fn sorted(paths: BTreeSet<String>) -> Vec<PathBuf> {
        // By bytes, as strings are, and not by components, as paths are.
        paths.into_iter().map(PathBuf::from).collect()
    }

    proptest! {
        #[test]
        fn folders_are_those_that_a_walk_over_all_ancestors_finds(
            paths in btree_set("[ab.\\-]{1,2}(/[ab.\\-]{1,2}){0,3}", 0..30)
        ) {
            // `.` and `..` are no names.
            let is_name = |name: &str| name != "." && name != "..";
            let paths = sorted(paths.into_iter().filter(|path| path.split('/').all(is_name)).collect());
            let mut model: BTreeMap<PathBuf, BTreeSet<&Path>> = BTreeMap::new();
            for path in &paths {
                for folder in path.ancestors().skip(1) {
                    model.entry(folder.to_owned()).or_default().insert(path);
                }
            }
            let mut found = BTreeMap::new();
            for span in spans(paths.iter().map(PathBuf::as_path)) {
                let files: BTreeSet<_> = paths[span.files.clone()].iter().map(PathBuf::as_path).collect();
                let folder: PathBuf = paths[span.files.start].iter().take(span.depth).collect();
                prop_assert!(found.insert(folder, files).is_none(), "each once");
            }
            prop_assert_eq!(found, model);
        }

        #[test]
        fn a_listing_names_each_file_once_and_keeps_the_names_that_are_safe(
            paths in btree_set("[ab:?]{1,2}(/[ab:?]{1,2}){0,2}", 1..20)
        ) {
            // What is a folder is no file.
            let is_folder = |path: &String| paths.iter().any(|other| other.starts_with(&format!("{path}/")));
            let paths = sorted(paths.iter().filter(|path| !is_folder(path)).cloned().collect());
            let files = paths.iter().enumerate().map(|(number, path)| (path.as_path(), file(number)));
            let listing = listing(files.clone(), 0).unwrap();
            prop_assert_eq!(listing.files().len(), paths.len());
            for (path, id) in files {
                let listed = listing.files().iter().find(|listed| listed.size == id.size).unwrap();
                let depth = path.iter().count();
                prop_assert_eq!(listed.path.folders().len() + 1, depth);
                let is_safe = path.to_str().unwrap().chars().all(|c| !matches!(c, ':' | '?'));
                prop_assert!(!is_safe || listed.path.to_string() == path.to_str().unwrap());
            }
        }
    }

    #[test]
    fn names_that_become_one_are_told_apart_by_a_number() {
        let paths = ["in/a:b", "in/a?b", "in/a_b (2)", "in/d:/x", "in/d?/x", "in/d?/y", "in/d_"];
        let found: BTreeSet<_> = listed(&paths, 1).unwrap().into_iter().collect();
        let wanted = ["a_b", "a_b (2)", "a_b (2) (2)", "d_/x", "d_ (2)/x", "d_ (2)/y", "d_ (3)"];
        assert_eq!(found, wanted.map(str::to_owned).into());
    }

    #[test]
    fn what_is_beyond_a_limit_is_not_listed() {
        let deep = vec!["d"; FOLDER_DEPTH_MAX + 1].join("/");
        assert_eq!(listed(&[&deep], 0), Err(TooLarge));
        assert_eq!(listed(&[&deep], 1).unwrap().len(), 1, "the folder in it is not too deep");
        let many: Vec<_> = (0..=FOLDER_FILES_MAX).map(|number| number.to_string()).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(listed(&many, 0), Err(TooLarge));
        assert!(listed(&many[1..], 0).is_ok());
        let long = "n".repeat(250);
        let long: Vec<_> = (10_000..20_000).map(|number| format!("{long}/{long}/{number}")).collect();
        let files = || long.iter().map(|path| (Path::new(path), file(1)));
        assert_eq!(listing_bytes(&listing(files(), 0).unwrap()), Err(TooLarge));
        assert!(listing_bytes(&listing(files(), 2).unwrap()).is_ok());
    }
}
