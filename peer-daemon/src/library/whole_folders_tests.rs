//! The whole folders of an index against the files below each path.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use proptest::{collection::vec, prelude::*, sample::select};
use protocol::{
    FileId, Root,
    folder::{ListedFile, Listing, RelativePath, identity},
    search::Subject,
};

use crate::library::{
    hasher::Stamp,
    index::{Entry, Index},
    path_guard::Location,
};

/// A share, a path in it, a content.
type Placed = (usize, &'static str, u8);

fn placed() -> impl Strategy<Value = Placed> {
    let paths = vec!["a", "b", "d/a", "d/b", "d/e/a", "d/e/f/a", "d-/a", "d-/e/a", "d e/b", "g/h/a", "g/h/b"];
    (0..2_usize, select(paths), 0..3_u8)
}

fn file(content: u8) -> FileId {
    FileId::new(Root::from_bytes([content; 32]), u64::from(content)).unwrap()
}

struct Model<'a> {
    shares: &'a [Arc<Path>],
    files: BTreeMap<(usize, PathBuf), u8>,
    whole: Vec<usize>,
    unread: Vec<(usize, PathBuf)>,
}

impl Model<'_> {
    /// Each folder that is to be offered, with its identity and files.
    fn folders(&self) -> BTreeMap<(usize, PathBuf), (FileId, BTreeSet<FileId>)> {
        let mut below: BTreeMap<(usize, PathBuf), Vec<ListedFile>> = BTreeMap::new();
        for ((share, path), content) in &self.files {
            for folder in path.ancestors().skip(1) {
                let within = path.strip_prefix(folder).unwrap().to_str().unwrap();
                let FileId { root, size } = file(*content);
                let listed = ListedFile { path: RelativePath::parse(within).unwrap(), size, root };
                below.entry((*share, folder.to_owned())).or_default().push(listed);
            }
        }
        let is_offered = |(share, folder): &(usize, PathBuf)| {
            let is_in = |(other, unread): &(usize, PathBuf)| other == share && unread.starts_with(folder);
            self.whole.contains(share) && !self.unread.iter().any(is_in)
        };
        let offered = below.into_iter().filter(|(folder, _)| is_offered(folder));
        offered
            .map(|(folder, files)| {
                let ids = files.iter().map(|file| file.id().unwrap()).collect();
                (folder, (identity(&Listing::new(files).unwrap().to_bytes()).unwrap(), ids))
            })
            .collect()
    }

    fn location(&self, (share, path): &(usize, PathBuf)) -> Location {
        Location { share: Arc::clone(&self.shares[*share]), path: path.clone() }
    }

    /// An index of the same, with entries of the one before where they stay as they were.
    fn index(&self, before: &Index) -> Index {
        let stamp = Stamp { device: 1, inode: 1, size: 1, mtime_ns: 0, ctime_ns: 0 };
        let entry = |(place, content): (&(usize, PathBuf), &u8)| {
            let location = self.location(place);
            let known = before.at(&location).filter(|entry| entry.file == file(*content)).cloned();
            known.unwrap_or_else(|| Arc::new(Entry::new(location, stamp, file(*content))))
        };
        let whole: Vec<_> = self.whole.iter().map(|&share| Arc::clone(&self.shares[share])).collect();
        let unread = self.unread.iter().map(|place| self.location(place).parent()).collect();
        Index::new(self.files.iter().map(entry).collect(), &whole, unread, before)
    }
}

fn check(index: &Index, model: &Model<'_>) -> Result<(), TestCaseError> {
    let folders = model.folders();
    prop_assert_eq!(index.folders().iter().count(), folders.len());
    for (place, (id, files)) in &folders {
        let (folder, _) = index.folder_at(&model.location(place).as_folder()).expect("it is offered");
        prop_assert_eq!(folder.file, *id);
        prop_assert_eq!(folder.summary.files, model.count(place) as u64);
        let within: BTreeSet<_> = index.files_within(&[*id]).map(|(file, _)| file).collect();
        prop_assert_eq!(&within, files);
        let found = index.search(&Subject::File(*id), 100);
        prop_assert!(found.iter().any(|found| found.folder == Some(folder.summary)));
    }
    // Of several, what all of them have, each with one of those that were asked for.
    let asked: Vec<_> = folders.values().map(|(id, _)| *id).collect();
    let union: BTreeSet<_> = folders.values().flat_map(|(_, files)| files).copied().collect();
    let within: Vec<_> = index.files_within(&asked).collect();
    prop_assert_eq!(within.iter().map(|(file, _)| *file).collect::<BTreeSet<_>>(), union);
    prop_assert!(within.iter().all(|(_, folder)| asked.contains(folder)));
    prop_assert!(within.len() <= index.entries().len(), "no folder's files twice");
    let offers: HashSet<_> =
        index.folders().offered().map(|folder| (folder.file, folder.name.clone())).collect();
    prop_assert_eq!(index.folders().offered().count(), offers.len(), "each once");
    Ok(())
}

impl Model<'_> {
    fn count(&self, (share, folder): &(usize, PathBuf)) -> usize {
        let is_below = |(other, path): &&(usize, PathBuf)| other == share && path.starts_with(folder);
        self.files.keys().filter(is_below).count()
    }
}

proptest! {
    #[test]
    fn folders_are_those_of_the_files_whatever_was_known_before(
        steps in vec((vec(placed(), 0..14), vec(0..2_usize, 0..2), vec(placed(), 0..2)), 1..4)
    ) {
        let shares: [Arc<Path>; 2] = [Path::new("/share").into(), Path::new("/share of more").into()];
        let mut index = Index::default();
        let mut files = BTreeMap::new();
        for (changes, mut whole, unread) in steps {
            // What is there is taken away again, so that the next index has fewer as well as more.
            for (share, path, content) in changes {
                let place = (share, PathBuf::from(path));
                if files.remove(&place).is_none() {
                    files.insert(place, content);
                }
            }
            whole.sort_unstable();
            whole.dedup();
            let unread = unread.into_iter().map(|(share, path, _)| (share, PathBuf::from(path))).collect();
            let model = Model { shares: &shares, files: files.clone(), whole, unread };
            index = model.index(&index);
            check(&index, &model)?;
        }
    }
}

#[test]
fn what_stays_as_it_was_is_not_identified_again() {
    let shares: [Arc<Path>; 1] = [Path::new("/share").into()];
    let place = |path: &str| (0, PathBuf::from(path));
    let files = BTreeMap::from([(place("kept/a"), 1), (place("kept/b"), 2), (place("other/a"), 1)]);
    let mut model = Model { shares: &shares, files, whole: vec![0], unread: Vec::new() };
    let before = model.index(&Index::default());
    model.files.insert(place("other/b"), 2);
    let after = model.index(&before);
    let folder = |index: &Index, path: &str| {
        let location = model.location(&place(path)).as_folder();
        Arc::clone(index.folder_at(&location).expect("it is offered").0)
    };
    assert!(Arc::ptr_eq(&folder(&before, "kept"), &folder(&after, "kept")));
    assert!(!Arc::ptr_eq(&folder(&before, "other"), &folder(&after, "other")));
    assert!(!Arc::ptr_eq(&folder(&before, ""), &folder(&after, "")));
}
