//! The repository's own tool. `cargo xtask demo` shows Hearsay at work, `cargo xtask test` is what CI runs,
//! `cargo xtask faults` kills programs at random moments, `cargo xtask tidy` holds the code to the rules that a
//! compiler does not know.
#![allow(clippy::print_stdout, reason = "a tool for a terminal: what it prints is what it is for")]

mod bench;
mod canary;
mod cli;
mod clock;
mod contract;
mod demo;
mod docs;
mod faults;
mod flood;
mod images;
mod pictures;
mod prerequisites;
mod schemathesis;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use self::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo { share, keep } => demo::run(&demo::Options { share, keep }),
        Command::Test => test::run(),
        Command::Bench { arguments } => bench::run(&arguments),
        Command::Canary { minute } => canary::run(minute),
        Command::Faults { rounds, seed } => faults::run(&faults::Options { rounds, seed }),
        Command::Flood => flood::run(),
        Command::Images { release } => images::run(&images::Options { release }),
        Command::Schemathesis => schemathesis::run(),
        Command::Docs => docs::run(),
        Command::Pictures => pictures::run(),
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
