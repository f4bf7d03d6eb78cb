//! Results as a person looks at them: one row a file, however many have it.

use std::collections::HashMap;

use protocol::{FolderSummary, Root, SafeName, Username, control::SearchResult, match_rule::MatchClass};

use crate::{
    format,
    table::{Align, Table},
};

/// A file, or a whole folder, that was found; the same root and size is the same file, whatever it is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File<'a> {
    /// Of the best of its results: what `get` takes.
    pub(super) number: u32,
    class: MatchClass,
    size: u64,
    folder: Option<FolderSummary>,
    name: &'a SafeName,
    sources: Vec<&'a Username>,
}

/// In the order of the results, which have the exact ones first.
pub(super) fn by_file(results: &[SearchResult]) -> Vec<File<'_>> {
    let mut files: Vec<File<'_>> = Vec::new();
    let mut places: HashMap<(Root, u64), usize> = HashMap::new();
    for SearchResult { number, username, name, size, root, folder, class } in results {
        let place = *places.entry((*root, *size)).or_insert(files.len());
        if place == files.len() {
            let (number, class, size, folder) = (*number, *class, *size, *folder);
            files.push(File { number, class, size, folder, name, sources: Vec::new() });
        }
        let sources = &mut files[place].sources;
        if !sources.contains(&username) {
            sources.push(username);
        }
    }
    files
}

pub(super) fn table(files: &[File<'_>]) -> Table {
    let mut table = Table::new(&[
        ("NUMBER", Align::Right),
        ("MATCH", Align::Left),
        ("SIZE", Align::Right),
        ("SOURCES", Align::Right),
        ("FROM", Align::Left),
        ("NAME", Align::Left),
    ]);
    for file in files {
        table.row(vec![
            file.number.to_string(),
            class(file.class).to_owned(),
            format::size(file.folder.map_or(file.size, |folder| folder.bytes)),
            file.sources.len().to_string(),
            file.sources.first().map(ToString::to_string).unwrap_or_default(),
            match file.folder {
                Some(folder) => format::folder(file.name, folder.files),
                None => file.name.to_string(),
            },
        ]);
    }
    table
}

pub(super) fn class(class: MatchClass) -> &'static str {
    match class {
        MatchClass::Exact => "exact",
        MatchClass::Substring => "substring",
    }
}

#[cfg(test)]
mod tests {
    use super::{by_file, table};
    use protocol::{FolderSummary, Root, SafeName, Username, control::SearchResult, match_rule::MatchClass};

    fn result(number: u32, username: &str, name: &str, root: u8, class: MatchClass) -> SearchResult {
        SearchResult {
            number,
            username: Username::parse(username).unwrap(),
            name: SafeName::sanitise(name),
            size: 3 << 20,
            root: Root::from_bytes([root; 32]),
            folder: None,
            class,
        }
    }

    #[test]
    fn who_has_the_same_file_is_one_of_its_sources_whatever_it_is_called() {
        let results = [
            result(4, "anna", "song.mp3", 1, MatchClass::Exact),
            result(1, "bert", "a song.mp3", 2, MatchClass::Substring),
            result(2, "carl", "the song.mp3", 1, MatchClass::Substring),
            result(3, "anna", "my song.mp3", 1, MatchClass::Substring),
        ];
        let lines: Vec<_> = table(&by_file(&results)).lines(true).collect();
        assert_eq!(
            lines,
            [
                "NUMBER  MATCH         SIZE  SOURCES  FROM  NAME",
                "     4  exact      3.0 MiB        2  anna  song.mp3",
                "     1  substring  3.0 MiB        1  bert  a song.mp3",
            ]
        );
    }

    #[test]
    fn a_folder_is_shown_with_what_is_in_it_and_not_with_the_size_of_its_listing() {
        let mut found = result(1, "anna", "Album", 1, MatchClass::Exact);
        (found.size, found.folder) = (812, Some(FolderSummary { files: 12, bytes: 3 << 20 }));
        let row = table(&by_file(&[found])).lines(true).last().unwrap();
        assert_eq!(row, "     1  exact  3.0 MiB        1  anna  Album/ (12 files)");
    }

    #[test]
    fn a_username_that_is_read_from_right_to_left_leaves_the_name_in_its_place() {
        let results = [result(1, "שרה", "שיר.mp3", 1, MatchClass::Exact)];
        let row = table(&by_file(&results)).lines(true).last().unwrap();
        assert_eq!(row, "     1  exact  3.0 MiB        1  שרה\u{200e}   שיר.mp3");
        assert!(!table(&by_file(&results)).lines(false).last().unwrap().contains('\u{200e}'));
    }
}
