//! Folders on a real disk.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use cap_std::{ambient_authority, fs::Dir};
use hyper::body::Bytes;
use protocol::{
    Conflict, SafeName,
    folder::{ListedFile, Listing, RelativePath, identity},
};
use tokio_util::sync::CancellationToken;

use super::{
    contents::Contents,
    disk::{PartTree, find},
    look::{Found, Look},
    merge::{Merged, Target},
};
use crate::downloads::{
    assemble::{ANNOUNCED, AssembleError},
    bits,
    store::Remains,
};

const FILES: [(&str, &str); 4] = [("a", "one"), ("sub/b", "two"), ("sub/deep/c", "three"), ("z", "")];

/// A download folder, and a folder on its way in it.
struct Left {
    home: tempfile::TempDir,
    dir: Dir,
    contents: Contents,
    tree: PartTree,
}

impl Left {
    /// With the first few files.
    fn with(count: usize) -> Self {
        let file = |(path, content): &(&str, &str)| {
            let id = identity(content.as_bytes()).unwrap();
            ListedFile { path: RelativePath::parse(path).unwrap(), size: id.size, root: id.root }
        };
        let listing = Listing::new(FILES.iter().map(file).collect()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(home.path(), ambient_authority()).unwrap();
        let tree = PartTree::create_announced(&dir, &name("Album"), |_| Ok::<_, AssembleError>(())).unwrap();
        let left = Self { home, dir, contents: Contents::read(&listing.to_bytes()).unwrap(), tree };
        (0..count).for_each(|number| left.put(number));
        left
    }

    fn put(&self, number: usize) {
        let content = [Bytes::from_static(FILES[number].1.as_bytes())];
        let mut is_told = false;
        self.tree.put(&self.contents.files()[number].place, &content, || is_told = true).unwrap();
        assert!(is_told);
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn finish(&self, conflict: Conflict) -> Result<String, AssembleError> {
        self.tree.finish(&self.contents, conflict).map(|name| name.to_string())
    }

    /// All files below the download folder, with what is in them.
    fn files(&self) -> Vec<(String, String)> {
        fn walk(dir: &Path, at: &str, files: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{at}{}", entry.file_name().to_str().unwrap());
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => walk(&entry.path(), &format!("{path}/"), files),
                    kind if kind.is_symlink() => files.push((path, "a link".to_owned())),
                    _ => files.push((path, fs::read_to_string(entry.path()).unwrap())),
                }
            }
        }
        let mut files = Vec::new();
        walk(self.home.path(), "", &mut files);
        files.sort();
        files
    }

    fn remains(&self, recorded: &[bool]) -> Remains {
        Remains {
            part: self.tree.part_name().clone(),
            inode: self.tree.inode().unwrap(),
            verified_bits: bits::pack(recorded),
            boot_id: "this boot".to_owned(),
        }
    }

    fn look(&self, remains: &Remains, boot_id: &str) -> Found {
        self.look_for(Conflict::Rename, remains, boot_id)
    }

    fn look_for(&self, conflict: Conflict, remains: &Remains, boot_id: &str) -> Found {
        self.look_while(&CancellationToken::new(), conflict, remains, boot_id).unwrap()
    }

    fn look_while(
        &self,
        token: &CancellationToken,
        conflict: Conflict,
        remains: &Remains,
        boot_id: &str,
    ) -> Result<Found, AssembleError> {
        let (name, contents) = (&name("Album"), &self.contents);
        Look { name, contents, remains, conflict, boot_id, token }.at(&self.dir)
    }

    /// As the merge does, until the process ends.
    fn merge(&self, count: usize) {
        let mut merged = Merged::default();
        let mut target = Target::open(&self.dir, &name("Album"), Conflict::Overwrite, &mut merged).unwrap();
        for (number, file) in self.contents.files()[..count].iter().enumerate() {
            let from = find(&self.tree.root, &file.place.folders).unwrap();
            target.take(number, &from, &file.place).unwrap();
        }
    }

    fn is_there(&self, remains: &Remains, boot_id: &str) -> Vec<bool> {
        match self.look(remains, boot_id) {
            Found::Tree(_, is_there) => is_there,
            _ => panic!("the folder was not found"),
        }
    }
}

fn name(text: &str) -> SafeName {
    SafeName::parse(text).unwrap()
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files: Vec<_> = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    files.sort();
    files
}

fn whole(at: &str) -> Vec<(String, String)> {
    FILES.iter().map(|(path, text)| (format!("{at}/{path}"), text.to_string())).collect()
}

#[test]
fn files_become_the_folder() {
    let left = Left::with(4);
    assert_eq!(left.files(), whole("Album.part"));
    assert_eq!(left.finish(Conflict::Rename).unwrap(), "Album");
    assert_eq!(left.files(), whole("Album"));
}

#[test]
fn what_is_missing_keeps_it_from_its_name() {
    let left = Left::with(4);
    fs::remove_file(left.path("Album.part/sub/b")).unwrap();
    assert!(matches!(left.finish(Conflict::Rename), Err(AssembleError::Gone(_))));
    left.put(1);
    fs::write(left.path("Album.part/a"), "longer than it was").unwrap();
    assert!(matches!(left.finish(Conflict::Rename), Err(AssembleError::Gone(_))));
}

#[test]
fn a_name_that_is_taken_is_not_taken_away() {
    let left = Left::with(4);
    fs::create_dir(left.path("Album")).unwrap();
    fs::write(left.path("Album/own"), "mine").unwrap();
    assert!(matches!(left.finish(Conflict::Skip), Err(AssembleError::NameTaken(_))));
    assert_eq!(left.finish(Conflict::Rename).unwrap(), "Album (2)");
    assert_eq!(left.files(), [whole("Album (2)"), owned(&[("Album/own", "mine")])].concat());
}

#[test]
fn a_folder_that_is_there_is_merged_into_only_if_that_is_asked_for() {
    let left = Left::with(4);
    fs::create_dir_all(left.path("Album/sub")).unwrap();
    fs::write(left.path("Album/a"), "another one").unwrap();
    fs::write(left.path("Album/sub/own"), "mine").unwrap();
    fs::write(left.path("Album.part/put here"), "mine, too").unwrap();
    assert_eq!(left.finish(Conflict::Overwrite).unwrap(), "Album");
    let mut expected = whole("Album");
    expected.extend(owned(&[("Album/sub/own", "mine"), ("Album.part/put here", "mine, too")]));
    expected.sort();
    assert_eq!(left.files(), expected);
}

#[test]
fn a_folder_in_a_files_way_and_a_file_in_a_folders_are_left() {
    let left = Left::with(4);
    fs::create_dir_all(left.path("Album/a")).unwrap();
    fs::write(left.path("Album/a/own"), "mine").unwrap();
    fs::write(left.path("Album/sub"), "mine").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), left.path("Album/z")).unwrap();
    assert_eq!(left.finish(Conflict::Overwrite).unwrap(), "Album");
    let expected = owned(&[
        ("Album/a (2)", "one"),
        ("Album/a/own", "mine"),
        ("Album/sub", "mine"),
        ("Album/sub (2)/b", "two"),
        ("Album/sub (2)/deep/c", "three"),
        ("Album/z", "a link"),
        ("Album/z (2)", ""),
    ]);
    assert_eq!(left.files(), expected);
    let left = Left::with(4);
    fs::write(left.path("Album"), "mine").unwrap();
    assert_eq!(left.finish(Conflict::Overwrite).unwrap(), "Album (2)");
}

#[test]
fn no_link_is_followed_and_what_somebody_put_in_the_way_stays() {
    let left = Left::with(0);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), left.path("Album.part/sub")).unwrap();
    fs::write(left.path("Album.part/a"), "mine").unwrap();
    fs::write(left.path("Album.part/z"), "").unwrap();
    (0..4).for_each(|number| left.put(number));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "a link was followed");
    let mut expected = whole("Album.part");
    expected.extend(owned(&[("Album.part/a (2)", "mine"), ("Album.part/sub (2)", "a link")]));
    expected.sort();
    assert_eq!(left.files(), expected);
}

#[test]
fn what_was_written_is_removed_and_nothing_else() {
    let discard = |left: &Left| left.tree.discard(&left.contents, &[true; 4], &[]).unwrap();
    let left = Left::with(4);
    discard(&left);
    assert_eq!(fs::read_dir(left.home.path()).unwrap().count(), 0);

    let left = Left::with(4);
    fs::write(left.path("Album.part/sub/own"), "mine").unwrap();
    discard(&left);
    assert_eq!(left.files(), owned(&[("Album.part/sub/own", "mine")]));
    assert!(!left.path("Album.part/sub/deep").exists());
    let place = &left.contents.files()[0].place;
    let late = left.tree.put(place, &[], || panic!("it was written after all"));
    assert!(matches!(late, Err(AssembleError::Gone(_))));

    let left = Left::with(4);
    fs::rename(left.path("Album.part"), left.path("kept")).unwrap();
    fs::create_dir(left.path("Album.part")).unwrap();
    discard(&left);
    assert!(left.path("Album.part").exists() && left.path("kept/a").exists(), "another folder has its name");
}

#[test]
fn what_is_recorded_counts_and_what_is_not_is_looked_at() {
    let left = Left::with(3);
    let remains = left.remains(&[true, false, false, false]);
    assert_eq!(left.is_there(&remains, "this boot"), [true, true, true, false]);
    fs::write(left.path("Album.part/a"), "eno").unwrap();
    fs::write(left.path("Album.part/sub/b"), "owt").unwrap();
    assert_eq!(left.is_there(&remains, "this boot"), [true, false, true, false]);
    assert_eq!(left.is_there(&remains, "another boot"), [false, false, true, false]);
    fs::remove_file(left.path("Album.part/a")).unwrap();
    assert_eq!(left.is_there(&remains, "this boot"), [false, false, true, false]);
}

#[test]
fn what_is_not_wanted_any_more_is_not_read_to_its_end() {
    let left = Left::with(3);
    let token = CancellationToken::new();
    token.cancel();
    let look = |boot_id| left.look_while(&token, Conflict::Rename, &left.remains(&[true; 3]), boot_id);
    assert!(matches!(look("this boot"), Ok(Found::Tree(..))), "nothing is to be read");
    assert!(matches!(look("another boot"), Err(AssembleError::Stopped)));
}

#[test]
fn a_folder_that_was_finished_just_before_the_crash_is_found() {
    let left = Left::with(4);
    let remains = left.remains(&[true; 4]);
    fs::write(left.path("Album"), "mine").unwrap();
    left.finish(Conflict::Rename).unwrap();
    assert!(matches!(left.look(&remains, "x"), Found::Whole(found) if found == name("Album (2)")));
    fs::remove_file(left.path("Album (2)/a")).unwrap();
    assert!(matches!(left.look(&remains, "x"), Found::Nothing));
}

#[test]
fn a_folder_that_was_made_just_before_the_crash_is_taken_up_unless_somebody_put_something_in_it() {
    let left = Left::with(0);
    let announced = Remains { inode: ANNOUNCED, ..left.remains(&[]) };
    assert_eq!(left.is_there(&announced, "x"), [false; 4]);
    fs::write(left.path("Album.part/own"), "mine").unwrap();
    assert!(matches!(left.look(&announced, "x"), Found::Nothing));
}

#[test]
fn a_write_that_a_crash_cut_off_is_in_nobodys_way() {
    let left = Left::with(1);
    fs::write(left.path("Album.part/.incoming"), "tw").unwrap();
    left.put(1);
    fs::write(left.path("Album.part/.incoming"), "t").unwrap();
    left.put(2);
    left.put(3);
    left.finish(Conflict::Rename).unwrap();
    assert_eq!(left.files(), whole("Album"));
}

/// A person's own folder of that name, in which things are in the way.
fn obstacles(left: &Left) -> Vec<(String, String)> {
    fs::create_dir_all(left.path("Album/a")).unwrap();
    fs::write(left.path("Album/a/own"), "mine").unwrap();
    fs::write(left.path("Album/sub"), "mine").unwrap();
    fs::write(left.path("Album/z"), "replaced").unwrap();
    owned(&[
        ("Album/a (2)", "one"),
        ("Album/a/own", "mine"),
        ("Album/sub", "mine"),
        ("Album/sub (2)/b", "two"),
        ("Album/sub (2)/deep/c", "three"),
        ("Album/z", ""),
    ])
}

#[test]
fn a_merge_that_a_crash_cut_off_goes_on_where_it_was() {
    for count in 0..=4 {
        let left = Left::with(4);
        let expected = obstacles(&left);
        let remains = left.remains(&[true; 4]);
        left.merge(count);
        for boot_id in ["this boot", "another boot"] {
            let Found::Tree(tree, is_there) = left.look_for(Conflict::Overwrite, &remains, boot_id) else {
                panic!("the folder was not found")
            };
            assert_eq!(is_there, [true; 4], "what was moved is to be fetched again: {count}");
            // The second time, as if it had ended once more before it did anything.
            if boot_id == "another boot" {
                assert_eq!(tree.finish(&left.contents, Conflict::Overwrite).unwrap(), name("Album"));
            }
        }
        assert_eq!(left.files(), expected, "{count}");
        // It ended between the last move and its record.
        let found = left.look_for(Conflict::Overwrite, &remains, "x");
        assert!(matches!(found, Found::Whole(found) if found == name("Album")), "{count}");
    }
}

#[test]
fn what_a_person_changes_between_is_no_file_that_was_moved() {
    let left = Left::with(4);
    fs::create_dir(left.path("Album")).unwrap();
    let remains = left.remains(&[true; 4]);
    left.merge(2);
    fs::write(left.path("Album/a"), "eno").unwrap();
    let Found::Tree(tree, is_there) = left.look_for(Conflict::Overwrite, &remains, "this boot") else {
        panic!("the folder was not found")
    };
    assert_eq!(is_there, [false, true, true, true]);
    assert!(matches!(tree.finish(&left.contents, Conflict::Overwrite), Err(AssembleError::Gone(_))));
    tree.put(&left.contents.files()[0].place, &[Bytes::from_static(b"one")], || {}).unwrap();
    // What is left does not become the folder without what was moved.
    fs::rename(left.path("Album"), left.path("elsewhere")).unwrap();
    assert!(matches!(tree.finish(&left.contents, Conflict::Overwrite), Err(AssembleError::Gone(_))));
    fs::rename(left.path("elsewhere"), left.path("Album")).unwrap();
    assert_eq!(tree.finish(&left.contents, Conflict::Overwrite).unwrap(), name("Album"));
    assert_eq!(left.files(), whole("Album"));
}
