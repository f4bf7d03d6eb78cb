//! How results are told as they come: painted for a person, row by row or as documents for a program.

use protocol::control::{SCHEMA, Search, SearchResult};
use serde::Serialize;

use super::files::{by_file, class, table};
use crate::{error::Error, output::Output, painter::Painter, width::cut};

/// A result of its own, as `--ndjson` prints it.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    search: &'a str,
    #[serde(flatten)]
    result: &'a SearchResult,
}

pub(super) fn document(search: &str, result: &SearchResult) -> Result<String, Error> {
    let document = Document { schema: SCHEMA, search, result };
    serde_json::to_string(&document).map_err(|error| Error::Unreadable(error.to_string()))
}

/// For programs that cut lines into fields. No name has a tab in it, nor the `/` that a folder's ends with.
pub(super) fn row(number: &str, result: &SearchResult) -> String {
    let SearchResult { username, name, class: match_class, .. } = result;
    let (size, mark) = result.folder.map_or((result.size, ""), |folder| (folder.bytes, "/"));
    format!("{number}\t{}\t{size}\t{username}\t{name}{mark}", class(*match_class))
}

/// Those of a search that were not told yet, in order of arrival, which numbers them.
#[derive(Default)]
pub(super) struct Untold {
    told: u32,
}

impl Untold {
    pub(super) fn take<'a>(&mut self, search: &'a Search) -> Vec<&'a SearchResult> {
        let mut fresh: Vec<_> = search.results.iter().filter(|result| result.number > self.told).collect();
        fresh.sort_by_key(|result| result.number);
        self.told = fresh.last().map_or(self.told, |last| last.number);
        fresh
    }
}

/// What is shown while results still come.
pub(super) enum Arrivals<'a> {
    /// The table, painted anew with each; it goes in the end, for the whole one is data.
    Painted(Painter),
    /// `--ndjson`.
    Documents(&'a Output, Untold),
    Silent,
}

impl<'a> Arrivals<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        if output.streams() {
            Self::Documents(output, Untold::default())
        } else if output.may_animate() {
            Self::Painted(Painter::new())
        } else {
            Self::Silent
        }
    }

    pub(super) fn show(&mut self, search: &Search) -> Result<(), Error> {
        match self {
            Self::Painted(painter) => {
                let files = by_file(&search.results);
                let mut lines = vec![match files.len() {
                    1 => "1 file so far".to_owned(),
                    count => format!("{count} files so far"),
                }];
                if !files.is_empty() {
                    let columns = painter.columns();
                    lines.extend(table(&files).lines(true).map(|line| cut(&line, columns)));
                }
                painter.paint(&[], lines);
            }
            Self::Documents(output, untold) => {
                for result in untold.take(search) {
                    output.document(&document(&search.search, result)?)?;
                }
            }
            Self::Silent => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) {
        if let Self::Painted(mut painter) = self {
            painter.paint(&[], Vec::new());
            painter.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{FolderSummary, Root, SafeName, Username, control::SearchResult, match_rule::MatchClass};

    use super::row;

    #[test]
    fn a_folder_is_told_by_its_mark_and_with_the_size_of_what_is_in_it() {
        let mut found = SearchResult {
            number: 1,
            username: Username::parse("bob").unwrap(),
            name: SafeName::sanitise("Album"),
            size: 775,
            root: Root::from_bytes([1; 32]),
            folder: Some(FolderSummary { files: 12, bytes: 4096 }),
            class: MatchClass::Exact,
        };
        assert_eq!(row("1", &found), "1\texact\t4096\tbob\tAlbum/");
        found.folder = None;
        assert_eq!(row("1", &found), "1\texact\t775\tbob\tAlbum");
    }
}
