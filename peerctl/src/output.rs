//! The only place that prints. Data goes to stdout, everything else to stderr, so that a pipe carries nothing
//! but data. No text reaches a terminal with control or bidi characters in it, wherever it came from.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
};

use crate::{error::Error, table::Table};

/// What the caller reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    /// `--json`: one document.
    Document,
    /// `--ndjson`: a document a line, as things come.
    Documents,
}

pub(crate) struct Output {
    format: Format,
    stdout: io::Stdout,
    stderr: io::Stderr,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, stdout: io::stdout(), stderr: io::stderr() }
    }

    /// Whether the caller wants documents instead of text.
    pub(crate) fn json(&self) -> bool {
        self.format != Format::Text
    }

    /// Whether the caller wants each document as soon as it is there.
    pub(crate) fn streams(&self) -> bool {
        self.format == Format::Documents
    }

    /// Whether a person reads the data.
    pub(crate) fn is_for_a_person(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// Whether something may move on stderr.
    pub(crate) fn may_animate(&self) -> bool {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        self.stderr.is_terminal() && !dumb && !self.json()
    }

    /// One line of data.
    pub(crate) fn line(&self, text: &str) -> Result<(), Error> {
        self.bytes(format!("{}\n", printable(text)).as_bytes())
    }

    /// A JSON document, as it is.
    pub(crate) fn document(&self, text: &str) -> Result<(), Error> {
        self.bytes(format!("{}\n", text.trim_end()).as_bytes())
    }

    pub(crate) fn table(&self, table: &Table) -> Result<(), Error> {
        let mut lines = table.lines(self.is_for_a_person());
        lines.try_for_each(|line| self.bytes(format!("{line}\n").as_bytes()))
    }

    /// A table with sentences in its last column.
    pub(crate) fn sentences(&self, table: Table) -> Result<(), Error> {
        let columns = usize::from(dialoguer::console::Term::stdout().size().1);
        self.table(&if self.is_for_a_person() { table.wrapped(columns) } else { table })
    }

    /// Data in another format.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = self.stdout.lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Error::OutputClosed,
            _ => Error::System(error),
        })
    }

    /// Something to know that is not data. Whether it can be said changes nothing.
    pub(crate) fn note(&self, text: &str) {
        let mut stderr = self.stderr.lock();
        for line in text.lines() {
            let _ = writeln!(stderr, "{}", printable(line));
        }
    }
}

/// The text without what moves a cursor, or shows text in another order than it is in.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let hides = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(hides) { Cow::Owned(text.replace(hides, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("plain\ttext ä"), "plain\ttext ä");
        assert_eq!(printable("a\x1b[2Jb\rc\u{9b}d\u{202e}e"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e");
    }
}
