//! Tables for people, in Markdown, so that they can be kept as they are.

use std::time::Duration;

/// One row a figure, one column a run.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[String]) -> Self {
        Self { title: title.to_owned(), columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.rows.push((name.to_owned(), cells.into_iter().collect()));
    }

    pub(crate) fn print(&self) {
        println!("\n| {} | {} |", self.title, self.columns.join(" | "));
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

/// With so many decimals, and commas between thousands.
pub(crate) fn grouped(value: f64, decimals: usize) -> String {
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.find('.').map_or((plain.as_str(), ""), |dot| plain.split_at(dot));
    let mut told = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            told.push(',');
        }
        told.push(digit);
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(999.96, 1), "1,000.0");
        assert_eq!(grouped(0.054, 2), "0.05");
    }
}
