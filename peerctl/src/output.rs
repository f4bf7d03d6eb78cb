//! The only place that prints. Data goes to stdout, everything else to stderr, so that a pipe carries nothing
//! but data. No text reaches a terminal with control or bidi characters in it, wherever it came from.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
};

use dialoguer::console::Term;

use crate::{error::Error, hints::Hints, table::Table, width::wrap};

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
    hints: Hints,
    stdout: io::Stdout,
    stderr: io::Stderr,
}

impl Output {
    pub(crate) fn new(format: Format, hints: Hints) -> Self {
        Self { format, hints, stdout: io::stdout(), stderr: io::stderr() }
    }

    /// Before it is known what the caller wants.
    pub(crate) fn for_notes() -> Self {
        Self::new(Format::Text, Hints::default())
    }

    /// Whether the caller wants documents instead of text.
    pub(crate) fn json(&self) -> bool {
        self.format != Format::Text
    }

    /// Whether the caller wants each document as soon as it is there.
    pub(crate) fn streams(&self) -> bool {
        self.format == Format::Documents
    }

    /// How the sentences in the daemon's documents are told: in a document for a program, as they are.
    pub(crate) fn hints_in_documents(&self) -> Hints {
        if self.json() { Hints::default() } else { self.hints.clone() }
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
        let is_for_a_person = self.is_for_a_person();
        let wrapped = is_for_a_person.then(|| table.wrapped(columns(&Term::stdout())));
        let mut lines = wrapped.as_ref().unwrap_or(table).lines(is_for_a_person);
        lines.try_for_each(|line| self.bytes(format!("{line}\n").as_bytes()))
    }

    /// A table with sentences of our own in its last column.
    pub(crate) fn sentences(&self, table: Table) -> Result<(), Error> {
        self.table(&table.spelled(&self.hints))
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
        let columns = self.stderr.is_terminal().then(|| columns(&Term::stderr()));
        let mut stderr = self.stderr.lock();
        for line in self.hints.spell(text).lines().map(printable) {
            let lines = columns.map_or_else(|| vec![line.to_string()], |columns| wrap(&line, columns));
            for line in lines {
                let _ = writeln!(stderr, "{line}");
            }
        }
    }
}

fn columns(terminal: &Term) -> usize {
    usize::from(terminal.size().1)
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
