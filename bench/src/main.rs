//! Measures the programs beside named baselines, in the same call on the same machine: the ratio says what is ours.
//!
//! What a coordinator costs (memory a parked peer, processor time a peer and search, how soon a search has reached
//! all) is compared with a bare server that only parks and wakes. The peers are simulated here ([`peer`]): they speak
//! the real API, each from a loopback address of its own. The servers are processes of their own, for the limit on
//! open files is one a process. Transfers between two real daemons are compared with curl and nginx, in turns.
#![allow(clippy::print_stdout, reason = "a tool for a terminal: what it prints is what it is for")]

mod baseline;
mod build;
mod cli;
mod client;
mod clock;
mod crowd;
mod curl;
mod figures;
mod introductions;
mod measure;
mod peer;
mod report;
mod restart;
mod server;
mod stream;
mod sustained;
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
