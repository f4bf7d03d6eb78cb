//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The repository's own tool")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
    /// Measure the programs, built for release, against named baselines: `cargo xtask bench stream`.
    Bench {
        /// What to measure, and how often; `--help` tells.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show that the test of the coordinator's memory fails when freed memory is not zeroed.
    Canary {
        /// With the real lifetimes, and a minute's rest, in place of a tenth of them.
        #[arg(long)]
        minute: bool,
    },
    /// Let schemathesis make up calls from openapi.yaml and hold the coordinator's answers against it.
    Schemathesis,
    /// Kill requester, target and coordinator at random moments of transfers, round after round.
    Faults {
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// Of the first round; each further one has the next (default: random).
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The test of misused connections with 10,000 of them.
    Flood,
    /// Build the images of docker/ and play docker/compose.yaml with them, without an engine or a registry (as root).
    Images {
        /// Build the programs as they are shipped; it takes some ten minutes more.
        #[arg(long)]
        release: bool,
    },
    /// Write the parts of docs/operations.md that are made from the code.
    Docs,
    /// Make the pictures of the web page in docs/images anew, in a browser.
    Pictures,
    /// Check dependency direction, sizes of files, and paths named in texts.
    Tidy,
}
