//! Lines at the bottom of a terminal that are painted anew in their place.
//!
//! The cursor rests at the beginning of the line below them, so that the `^C` which a terminal shows there is
//! painted over and moves nothing. (The known libraries rest it at the end of a full line, where Ctrl-C begins
//! another one, and the picture is torn.)

use dialoguer::console::Term;

pub(crate) struct Painter {
    terminal: Term,
    painted: Vec<String>,
}

impl Painter {
    pub(crate) fn new() -> Self {
        Self { terminal: Term::buffered_stderr(), painted: Vec::new() }
    }

    /// What a line may take: on a full one, some terminals begin another.
    pub(crate) fn columns(&self) -> usize {
        usize::from(self.terminal.size().1).saturating_sub(1)
    }

    /// Paints `lines` where those before them were, and above them what is to stay.
    pub(crate) fn paint(&mut self, staying: &[String], mut lines: Vec<String>) {
        // One row is the cursor's, one tells of those that don't fit.
        let rows = usize::from(self.terminal.size().0).saturating_sub(2);
        if lines.len() > rows {
            let more = lines.len() - rows;
            lines.truncate(rows);
            lines.push(format!("… and {more} more"));
        }
        if staying.is_empty() && lines == self.painted {
            return;
        }
        // A terminal that went away is no reason to end.
        let _gone = self.terminal.clear_last_lines(self.painted.len());
        for line in staying.iter().chain(&lines) {
            let _gone = self.terminal.write_line(line);
        }
        let _gone = self.terminal.flush();
        self.painted = lines;
    }

    /// Nothing more is painted. A `^C` that the terminal shows goes.
    pub(crate) fn finish(self) {
        let _gone = self.terminal.clear_line();
        let _gone = self.terminal.flush();
    }
}
