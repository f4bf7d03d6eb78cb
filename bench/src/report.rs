//! Tables for people, in Markdown, so that they can be kept as they are.

use std::time::Duration;

/// One row a figure, one column a run.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(columns: &[String]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.rows.push((name.to_owned(), cells.into_iter().collect()));
    }

    pub(crate) fn print(&self) {
        println!("\n| | {} |", self.columns.join(" | "));
        println!("|---|{}", "---|".repeat(self.columns.len()));
        for (name, cells) in &self.rows {
            println!("| {name} | {} |", cells.join(" | "));
        }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

/// Processor time of one of many.
pub(crate) fn microseconds_each(cpu: Duration, count: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / as_f64(count)
}

pub(crate) fn kibibytes_each(bytes: u64, count: usize) -> f64 {
    as_f64(usize::try_from(bytes).unwrap_or(usize::MAX)) / 1024.0 / as_f64(count)
}

/// Counts here are far below 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}
