//! The repository's own tool. `cargo xtask demo` shows Hearsay at work, `cargo xtask test` is what CI runs,
//! `cargo xtask faults` kills programs at random moments, `cargo xtask tidy` holds the code to the rules that a
//! compiler does not know.
#![allow(clippy::print_stdout, reason = "a tool for a terminal: what it prints is what it is for")]

mod bench;
mod clock;
mod contract;
mod demo;
mod faults;
mod prerequisites;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The repository's own tool")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a coordinator and two peers here, search, fetch a file and compare it.
    Demo {
        /// A folder that the first peer shares (default: copies of files of the Rust toolchain).
        #[arg(long, value_name = "DIR")]
        share: Option<PathBuf>,
        /// Leave everything running, and tell how to go on and how to stop it.
        #[arg(long)]
        keep: bool,
    },
    /// Install what tests need, build once, and run all checks and tests.
    Test,
    /// Kill requester, target and coordinator at random moments of transfers, round after round.
    Faults {
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// Of the first round; each further one has the next (default: random).
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Measure the programs, built for release, against named baselines: `cargo xtask bench stream`.
    Bench {
        /// What to measure, and how often; `--help` tells.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check dependency direction, sizes of files, and paths named in texts.
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo { share, keep } => demo::run(&demo::Options { share, keep }),
        Command::Test => test::run(),
        Command::Bench { arguments } => bench::run(&arguments),
        Command::Faults { rounds, seed } => faults::run(&faults::Options { rounds, seed }),
        Command::Tidy => tidy::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
