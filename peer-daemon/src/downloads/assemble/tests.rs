use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use cap_std::{ambient_authority, fs::Dir};
use protocol::{Conflict, SafeName};

use super::{AssembleError, PartFile, create_new};
use crate::downloads::{mounted::Mounted, placing::rename_over_placeholder};

fn open(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, ambient_authority()).unwrap()
}

fn name(text: &str) -> SafeName {
    SafeName::parse(text).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn pieces_in_any_order_become_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let part = PartFile::create(&open(folder.path()), &name("film.mkv")).unwrap();
    part.write_at(6, b"world").unwrap();
    part.sync().unwrap();
    part.write_at(0, b"hello ").unwrap();
    assert_eq!(names(folder.path()), ["film.mkv.part"]);
    assert_eq!(part.finish(Conflict::Rename).unwrap(), name("film.mkv"));
    assert_eq!(names(folder.path()), ["film.mkv"]);
    assert_eq!(fs::read(folder.path().join("film.mkv")).unwrap(), b"hello world");
}

#[test]
fn an_empty_file_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let part = PartFile::create(&open(folder.path()), &name("empty")).unwrap();
    part.finish(Conflict::Rename).unwrap();
    assert_eq!(fs::read(folder.path().join("empty")).unwrap(), b"");
}

#[test]
fn two_files_of_one_name_and_whatever_else_has_it_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open(folder.path());
    let parts: Vec<_> = (0..3).map(|_| PartFile::create(&dir, &name("a.txt")).unwrap()).collect();
    assert_eq!(names(folder.path()), ["a.txt (2).part", "a.txt (3).part", "a.txt.part"]);
    fs::write(folder.path().join("a.txt"), "the user's own").unwrap();
    fs::create_dir(folder.path().join("a (2).txt")).unwrap();
    symlink("nowhere", folder.path().join("a (3).txt")).unwrap();
    for (number, part) in (4..).zip(parts) {
        part.write_at(0, &[number]).unwrap();
        assert_eq!(part.finish(Conflict::Rename).unwrap(), name(&format!("a ({number}).txt")));
    }
    assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"the user's own");
    for number in 4..7 {
        assert_eq!(fs::read(folder.path().join(format!("a ({number}).txt"))).unwrap(), [number]);
    }
    assert_eq!(names(folder.path()).len(), 6);
}

#[test]
fn a_planted_link_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let victim = tempfile::NamedTempFile::new().unwrap();
    symlink(victim.path(), folder.path().join("a.part")).unwrap();
    let part = PartFile::create(&open(folder.path()), &name("a")).unwrap();
    part.write_at(0, b"content").unwrap();
    assert_eq!(part.part_name(), &name("a (2).part"));
    assert_eq!(part.finish(Conflict::Rename).unwrap(), name("a"));
    assert_eq!(fs::read(victim.path()).unwrap(), b"");
}

#[test]
fn the_longest_name_fits() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open(folder.path());
    let longest = name(&format!("{}.flac", "ü".repeat(125)));
    let parts = [(); 2].map(|()| PartFile::create(&dir, &longest).unwrap());
    let [first, second] = parts.map(|part| part.finish(Conflict::Rename).unwrap());
    assert_eq!(first, longest);
    assert!(second.as_str().ends_with(" (2).flac"), "{second}");
}

#[test]
fn without_the_careful_rename_nothing_is_overwritten_either() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open(folder.path());
    PartFile::create(&dir, &name("a")).unwrap();
    fs::write(folder.path().join("a"), "kept").unwrap();
    let error = rename_over_placeholder((&dir, "a.part"), (&dir, "a"), false).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    rename_over_placeholder((&dir, "a.part"), (&dir, "b"), false).unwrap();
    assert_eq!(names(folder.path()), ["a", "b"]);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"kept");
}

#[test]
fn discarding_removes_the_partial_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open(folder.path());
    PartFile::create(&dir, &name("a")).unwrap().discard().unwrap();
    assert_eq!(names(folder.path()), [""; 0]);
    let part = PartFile::create(&dir, &name("a")).unwrap();
    fs::remove_file(folder.path().join("a.part")).unwrap();
    create_new(&dir, "a.part").unwrap();
    part.discard().unwrap();
    assert_eq!(names(folder.path()), ["a.part"], "somebody else's file is left alone");
}

#[test]
fn what_was_removed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = open(folder.path());
    let part = PartFile::create(&dir, &name("a")).unwrap();
    fs::remove_file(folder.path().join("a.part")).unwrap();
    part.write_at(0, b"x").unwrap();
    assert!(matches!(part.finish(Conflict::Rename), Err(AssembleError::Gone(_))));
    folder.close().unwrap();
    assert!(matches!(PartFile::create(&dir, &name("a")), Err(AssembleError::Gone(_))));
}

#[test]
fn the_mode_is_that_of_any_new_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("any"), "").unwrap();
    PartFile::create(&open(folder.path()), &name("a")).unwrap().finish(Conflict::Rename).unwrap();
    let mode = |file: &str| fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
    assert_eq!(mode("a"), mode("any"));
}

#[test]
fn a_full_disk_is_told_and_writing_goes_on_once_there_is_room() {
    let Some(disk) = Mounted::tmpfs("size=256k") else { return };
    let path = disk.0.path();
    fs::write(path.join("ballast"), vec![1; 128 * 1024]).unwrap();
    let part = PartFile::create(&open(path), &name("a")).unwrap();
    let content = vec![7; 200 * 1024];
    assert!(matches!(part.write_at(0, &content), Err(AssembleError::NoSpace(_))));
    fs::remove_file(path.join("ballast")).unwrap();
    part.write_at(0, &content).unwrap();
    part.finish(Conflict::Rename).unwrap();
    assert_eq!(fs::read(path.join("a")).unwrap(), content);
}

#[test]
fn a_directory_that_may_not_be_written_is_told() {
    let Some(disk) = Mounted::tmpfs("size=256k,ro") else { return };
    let created = PartFile::create(&open(disk.0.path()), &name("a"));
    assert!(matches!(created, Err(AssembleError::Permission(_))));
}

fn whole(folder: &Path, text: &str) -> PartFile {
    let part = PartFile::create(&open(folder), &name(text)).unwrap();
    part.write_at(0, b"fetched").unwrap();
    part
}

#[test]
fn a_file_is_replaced_when_that_is_asked_for_and_whole_until_then() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "there before").unwrap();
    let part = whole(folder.path(), "a");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"there before");
    assert_eq!(part.finish(Conflict::Overwrite).unwrap(), name("a"));
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"fetched");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn neither_folders_nor_links_nor_partial_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let victim = tempfile::NamedTempFile::new().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    symlink(victim.path(), folder.path().join("link")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    fs::write(folder.path().join("b.part"), "another download's").unwrap();
    for text in ["folder", "link", "dangling", "b.part"] {
        let got = whole(folder.path(), text).finish(Conflict::Overwrite).unwrap();
        assert_eq!(got, name(text).numbered(2));
        assert_eq!(fs::read(folder.path().join(got.as_str())).unwrap(), b"fetched");
    }
    assert!(folder.path().join("folder").is_dir() && folder.path().join("link").is_symlink());
    assert_eq!(fs::read(victim.path()).unwrap(), b"");
    assert_eq!(fs::read(folder.path().join("b.part")).unwrap(), b"another download's");
}

#[test]
fn a_link_that_is_planted_at_the_last_moment_is_replaced_itself_and_nothing_is_written_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let victim = tempfile::NamedTempFile::new().unwrap();
    let part = whole(folder.path(), "a");
    // Between the look at the name and the rename.
    symlink(victim.path(), folder.path().join("a")).unwrap();
    part.replace().unwrap();
    assert!(!folder.path().join("a").is_symlink());
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"fetched");
    assert_eq!(fs::read(victim.path()).unwrap(), b"");
}

#[test]
fn a_link_in_place_of_the_partial_file_does_not_become_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let victim = tempfile::NamedTempFile::new().unwrap();
    let part = whole(folder.path(), "a");
    fs::remove_file(folder.path().join("a.part")).unwrap();
    symlink(victim.path(), folder.path().join("a.part")).unwrap();
    assert!(matches!(part.finish(Conflict::Rename), Err(AssembleError::Gone(_))));
    // Planted between that look and the rename: told all the same.
    part.replace().unwrap();
    assert!(matches!(part.must_be_at(&part.dir, &name("a")), Err(AssembleError::Gone(_))));
}

#[test]
fn what_has_the_name_is_left_alone_when_that_is_asked_for_and_the_partial_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "there before").unwrap();
    let part = whole(folder.path(), "a");
    assert!(
        matches!(part.finish(Conflict::Skip), Err(AssembleError::NameTaken(taken)) if taken == name("a"))
    );
    assert_eq!(names(folder.path()), ["a", "a.part"]);
    fs::remove_file(folder.path().join("a")).unwrap();
    assert_eq!(part.finish(Conflict::Skip).unwrap(), name("a"));
}
