//! Columns that line up on a terminal, whatever script a name is in.

use unicode_width::UnicodeWidthStr as _;

use crate::{
    hints::Hints,
    output::printable,
    width::{fit, fold},
};

/// Space between two columns.
const GAP: &str = "  ";
/// In a last column that is narrower, a sentence would be a word a line.
const LAST_COLUMNS_MIN: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// The last column is never padded: names and sentences go there, so that a name written from right to left, or what
/// is wider than the terminal, disturbs no other column.
#[derive(Debug)]
pub(crate) struct Table {
    alignments: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
        Self { alignments: columns.iter().map(|(_, align)| *align).collect(), rows: vec![titles] }
    }

    /// Names and their values, without titles.
    pub(crate) fn of_pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let rows = pairs
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), printable(&value).into_owned()])
            .collect();
        Self { alignments: vec![Align::Left, Align::Left], rows }
    }

    /// Whether there is nothing but titles.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell).into_owned()).collect());
    }

    /// Sentences in the last column, with the commands in them as this person has to type them.
    pub(crate) fn spelled(mut self, hints: &Hints) -> Self {
        for sentence in self.rows.iter_mut().filter_map(|row| row.last_mut()) {
            *sentence = hints.spell(sentence).into_owned();
        }
        self
    }

    /// For a terminal of so many columns: what is too long for the last column goes on below itself.
    pub(crate) fn wrapped(&self, columns: usize) -> Self {
        let widths = self.widths();
        let before: usize = widths.iter().rev().skip(1).map(|width| width + GAP.width()).sum();
        // Where the column would be narrower, the terminal may break the lines.
        let room = columns.saturating_sub(before);
        let room = if room < LAST_COLUMNS_MIN { usize::MAX } else { room };
        let mut rows = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let Some((last, begin)) = row.split_last() else { continue };
            let blank = vec![String::new(); begin.len()];
            let begins = std::iter::once(begin).chain(std::iter::repeat(blank.as_slice()));
            rows.extend(fold(last, room).into_iter().zip(begins).map(|(line, begin)| {
                let mut row = begin.to_vec();
                row.push(line);
                row
            }));
        }
        Self { alignments: self.alignments.clone(), rows }
    }

    /// For a person's terminal, with marks that keep text which is read from right to left in its column.
    pub(crate) fn lines(&self, is_for_a_person: bool) -> impl Iterator<Item = String> {
        let widths = self.widths();
        self.rows.iter().map(move |row| self.line(row, &widths, is_for_a_person))
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |column| self.rows.iter().filter_map(move |row| row.get(column));
        (0..self.alignments.len())
            .map(|column| cells(column).map(|cell| cell.width()).max().unwrap_or(0))
            .collect()
    }

    fn line(&self, row: &[String], widths: &[usize], is_for_a_person: bool) -> String {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let last = index + 1 == row.len();
            match self.alignments.get(index) {
                Some(Align::Right) => line.extend([padding.as_str(), cell]),
                _ if last => line.push_str(cell),
                _ if is_for_a_person => line.push_str(&fit(cell, *width)),
                _ => line.extend([cell, padding.as_str()]),
            }
            if !last {
                line.push_str(GAP);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{Align, Table};

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let mut table = Table::new(&[("N", Align::Right), ("USER", Align::Left), ("NAME", Align::Left)]);
        table.row(vec!["1".into(), "ann".into(), "a.txt".into()]);
        table.row(vec!["12".into(), "田中さん".into(), "b".into()]);
        let lines: Vec<_> = table.lines(false).collect();
        assert_eq!(lines, [" N  USER      NAME", " 1  ann       a.txt", "12  田中さん  b"]);
    }

    #[test]
    fn sentences_go_on_in_their_column() {
        let table =
            || Table::of_pairs([("port", "it can't be told from here".to_owned()), ("x", "y".to_owned())]);
        let lines = |columns| table().wrapped(columns).lines(true).collect::<Vec<_>>();
        assert_eq!(lines(27), ["port  it can't be told from", "      here", "x     y"]);
        assert_eq!(lines(32).len(), 2);
        assert_eq!(lines(25).len(), 2, "too narrow for it");
    }

    #[test]
    fn a_long_name_goes_on_in_its_column() {
        let mut table = Table::new(&[("SIZE", Align::Right), ("NAME", Align::Left)]);
        table.row(vec!["1 B".into(), "Artist_-_Album_-_2019.flac".into()]);
        table.row(vec!["20 B".into(), "a".into()]);
        let lines: Vec<_> = table.wrapped(26).lines(true).collect();
        assert_eq!(lines, ["SIZE  NAME", " 1 B  Artist_-_Album_-_201", "      9.flac", "20 B  a"]);
    }

    #[test]
    fn pairs_have_no_titles() {
        let lines: Vec<_> =
            Table::of_pairs([("id", "3".to_owned()), ("state", "x".to_owned())]).lines(false).collect();
        assert_eq!(lines, ["id     3", "state  x"]);
    }
}
