//! What a person sees of transfers that go on: a line each on a terminal, one for each change of state elsewhere.

use std::collections::HashSet;

use crate::{bar, output::Output, painter::Painter, transfer::Transfer};

/// Of several transfers at once.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    painter: Option<Painter>,
    /// In the order in which they came.
    shown: Vec<Shown>,
    /// Of the list looked at last, if one was: what had ended.
    ended: Option<HashSet<String>>,
}

struct Shown {
    id: String,
    line: String,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        let painter = output.may_animate().then(Painter::new);
        Self { output, painter, shown: Vec::new(), ended: None }
    }

    /// Shows one of those that are followed; its line stays when it has ended.
    pub(crate) fn update(&mut self, transfer: &Transfer) {
        self.change(transfer);
        self.paint(&[]);
    }

    /// Shows a whole list that is looked at again and again. What has ended is told once, also when it ended
    /// between two looks, and not at all when it had ended before the first.
    pub(crate) fn list(&mut self, transfers: &[Transfer]) {
        let mut seen = HashSet::new();
        // A requester that comes again has its ended upload listed under the same id.
        let listed: Vec<_> = transfers.iter().filter(|transfer| seen.insert(&transfer.id)).collect();
        let ended = listed.iter().filter(|transfer| transfer.has_ended());
        let ended_before = self.ended.replace(ended.map(|transfer| transfer.id.clone()).collect());
        let is_old = |id| ended_before.as_ref().is_none_or(|ended| ended.contains(id));
        let mut over = Vec::new();
        for transfer in listed {
            if !transfer.has_ended() {
                self.change(transfer);
            } else if self.place_of(&transfer.id).is_some() || !is_old(&transfer.id) {
                let place = self.change(transfer);
                over.push(self.shown.remove(place).line);
            }
        }
        self.shown.retain(|shown| seen.contains(&shown.id));
        self.paint(&over);
    }

    /// Leaves the lines as they are, and the cursor below them.
    pub(crate) fn finish(self) {
        if let Some(painter) = self.painter {
            painter.finish();
        }
    }

    /// Tells a change where nothing is painted; answers the place among those that are shown.
    fn change(&mut self, transfer: &Transfer) -> usize {
        let line = match &self.painter {
            Some(painter) => bar::line(transfer, painter.columns()),
            None => format!("{}: {}", transfer.name, transfer.standing()),
        };
        let place = self.place_of(&transfer.id).unwrap_or_else(|| {
            self.shown.push(Shown { id: transfer.id.clone(), line: String::new() });
            self.shown.len() - 1
        });
        let shown = &mut self.shown[place];
        if shown.line != line && self.painter.is_none() {
            self.output.note(&line);
        }
        shown.line = line;
        place
    }

    fn place_of(&self, id: &str) -> Option<usize> {
        self.shown.iter().position(|shown| shown.id == id)
    }

    fn paint(&mut self, staying: &[String]) {
        if let Some(painter) = &mut self.painter {
            painter.paint(staying, self.shown.iter().map(|shown| shown.line.clone()).collect());
        }
    }
}
