//! Measurements of the real programs against named baselines. Each prints a table and a ratio; what was measured,
//! with machine and command, is in `bench/README.md`.
//!
//! Baseline and Hearsay take turns in one run, so that whatever else the machine does meets both. The peers of the
//! coordinator's measurements are simulated here ([`peer`]): they speak the real API, each from a loopback address of
//! its own. Servers are processes of their own, for the limit on open files is one a process.
#![allow(clippy::print_stdout, reason = "a tool for a terminal: what it prints is what it is for")]

mod adc;
mod bare_server;
mod baseline;
mod cli;
mod client;
mod clock;
mod column;
mod crowd;
mod face;
mod figures;
mod introductions;
mod measure;
mod nchan;
mod pace;
mod peer;
mod quantity;
mod relays;
mod report;
mod restart;
mod searches;
mod server;
mod side_by_side;
mod small_files;
mod stream;
mod sustained;
mod traffic;
mod turns;
mod uhub;
mod waves;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nbench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
