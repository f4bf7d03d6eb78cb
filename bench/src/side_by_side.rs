//! The coordinator and the servers beside it, in turns: with each number of peers, run after run, every time in another
//! order, so that whatever else the machine does meets all of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::{
    column::Column,
    pace::Pace,
    quantity::{Figures, Quantity, spread},
    report::{Table, as_f64, grouped},
};

/// What is to be measured.
pub(crate) struct Plan {
    pub(crate) sizes: Vec<usize>,
    pub(crate) columns: Vec<Column>,
    pub(crate) runs: usize,
    pub(crate) pace: Pace,
}

/// The figures of each run, by number of peers and server.
type Measured = BTreeMap<(usize, Column), Vec<Figures>>;

/// What the coordinator is held to, against the bare server and by itself.
const RATIOS: [(Quantity, Column, Option<f64>); 5] = [
    (Quantity::Memory, Column::Bare, Some(1.15)),
    (Quantity::Memory, Column::Nchan, None),
    (Quantity::ReachedAll, Column::Bare, Some(1.2)),
    (Quantity::SearchProcessor, Column::Bare, None),
    (Quantity::SearchProcessor, Column::BareClosing, None),
];
const AIMS: [(Quantity, f64); 2] = [(Quantity::SearchProcessor, 30.0), (Quantity::ConnectProcessor, 100.0)];

pub(crate) async fn run(plan: &Plan) -> Result<()> {
    let (searches, interval) = (plan.pace.searches, plan.pace.interval.as_secs_f64());
    let connection = plan.pace.connection();
    println!(
        "{searches} searches, one every {interval} s; connections that carried content end after {} to {} s",
        connection.start().as_secs_f64(),
        connection.end().as_secs_f64()
    );
    let (columns, missing): (Vec<Column>, Vec<Column>) =
        plan.columns.iter().partition(|column| column.is_installed());
    for column in missing {
        println!("{} is not installed", column.name());
    }
    let mut measured = Measured::new();
    for run in 0..plan.runs {
        for (size, peers) in plan.sizes.iter().enumerate() {
            for column in in_turn(&columns, run + size) {
                if *peers > column.peers_max() {
                    continue;
                }
                let figures = column.measure(*peers, plan.pace).await;
                let figures = figures.with_context(|| format!("{} with {peers} peers", column.name()))?;
                tell(run, *peers, column, &figures);
                measured.entry((*peers, column)).or_default().push(figures);
            }
        }
    }
    for peers in &plan.sizes {
        print_table(*peers, &columns, &measured);
        print_aims(*peers, &measured);
    }
    Ok(())
}

/// Another one is the first each time.
fn in_turn(columns: &[Column], turn: usize) -> Vec<Column> {
    let mut columns = columns.to_vec();
    if !columns.is_empty() {
        let first = turn % columns.len();
        columns.rotate_left(first);
    }
    columns
}

/// A line at once, so that a long measurement shows how it goes, and how much runs differ.
fn tell(run: usize, peers: usize, column: Column, figures: &Figures) {
    let told =
        [Quantity::Memory, Quantity::ReachedAll, Quantity::SearchProcessor, Quantity::ConnectProcessor].map(
            |quantity| quantity.told(figures.get(&quantity).map(std::slice::from_ref).unwrap_or_default()),
        );
    println!("run {}, {peers} peers, {}: {}", run + 1, column.name(), told.join(", "));
}

/// A quantity of one server, as it was in each run.
fn runs_of(measured: &Measured, peers: usize, column: Column, quantity: Quantity) -> Vec<f64> {
    let runs = measured.get(&(peers, column)).map_or(&[][..], Vec::as_slice);
    runs.iter().filter_map(|figures| figures.get(&quantity).copied()).collect()
}

fn print_table(peers: usize, columns: &[Column], measured: &Measured) {
    let names: Vec<String> = columns.iter().map(|column| column.name().to_owned()).collect();
    let mut table = Table::new(&format!("{} peers", grouped(as_f64(peers), 0)), &names);
    for quantity in Quantity::ALL {
        let cells: Vec<Vec<f64>> =
            columns.iter().map(|column| runs_of(measured, peers, *column, quantity)).collect();
        if cells.iter().any(|runs| !runs.is_empty()) {
            table.row(quantity.name(), cells.iter().map(|runs| quantity.told(runs)));
        }
    }
    table.print();
    for column in columns.iter().filter(|column| peers > column.peers_max()) {
        println!(
            "\n{} is measured with {} peers at most: what it takes to bring them in grows with the square.",
            column.name(),
            grouped(as_f64(column.peers_max()), 0)
        );
    }
}

/// What is to be told of the coordinator with so many peers, where it was measured.
fn print_aims(peers: usize, measured: &Measured) {
    let lines: Vec<String> = ratios(peers, measured).chain(aims(peers, measured)).collect();
    if !lines.is_empty() {
        println!("\nThe coordinator with {} peers:", grouped(as_f64(peers), 0));
    }
    for line in lines {
        println!("- {line}");
    }
}

/// Of two figures of the same run each, and then of all runs.
fn ratios(peers: usize, measured: &Measured) -> impl Iterator<Item = String> {
    RATIOS.iter().filter_map(move |(quantity, beside, aim)| {
        let ours = runs_of(measured, peers, Column::Coordinator, *quantity);
        let theirs = runs_of(measured, peers, *beside, *quantity);
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let aim = aim.map(|aim| format!(" (aim: at most {aim})")).unwrap_or_default();
        let (name, beside) = (quantity.name(), beside.name());
        (!ratios.is_empty()).then(|| format!("{name}: {} times that of {beside}{aim}", spread(&ratios, "")))
    })
}

fn aims(peers: usize, measured: &Measured) -> impl Iterator<Item = String> {
    AIMS.iter().filter_map(move |(quantity, aim)| {
        let runs = runs_of(measured, peers, Column::Coordinator, *quantity);
        let (name, told, aim) = (quantity.name(), quantity.told(&runs), quantity.told(&[*aim]));
        (!runs.is_empty()).then(|| format!("{name}: {told} (aim: at most {aim})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_comes_first_in_its_turn() {
        let columns = [Column::Bare, Column::Coordinator, Column::Nchan];
        let first: Vec<Column> = (0..3).map(|turn| in_turn(&columns, turn)[0]).collect();
        assert_eq!(first, columns);
        assert_eq!(in_turn(&columns, 3), columns);
        assert!(in_turn(&[], 1).is_empty());
    }
}
