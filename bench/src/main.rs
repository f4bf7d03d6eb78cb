//! Measurements of the real programs against named baselines. Each prints a table and a ratio; what was measured,
//! with machine and command, is in `bench/README.md`.
//!
//! Baseline and Hearsay take turns in one run, so that whatever else the machine does meets both.
#![allow(clippy::print_stdout, reason = "figures on a terminal are what this is for")]

mod baseline;
mod clock;
mod figures;
mod stream;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "hearsay-bench", about = "Measurements against named baselines")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One large file, fetched, verified and synced, against curl over HTTPS from nginx to a synced file.
    Stream {
        #[arg(long, default_value_t = 2048)]
        mebibytes: u32,
        /// Turns of each side; medians are told.
        #[arg(long, default_value_t = 5)]
        runs: u32,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        Command::Stream { mebibytes, runs } => runtime.block_on(stream::measure(mebibytes, runs)),
    }
}
