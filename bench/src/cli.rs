//! The command line, and what follows from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{bare_server, face, introductions, measure, restart, small_files, stream, sustained, waves};

#[derive(Parser)]
#[command(name = "hearsay-bench", about = "Measurements against named baselines")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Memory a parked peer, connects, searches that reach all: the coordinator and a bare long-poll, in turns
    Coordinator {
        /// How many peers, one measurement after the other
        #[arg(long, value_delimiter = ',', default_value = "1000,5000,15000")]
        peers: Vec<usize>,
        /// Searches, one every so many seconds
        #[arg(long, default_value_t = 12)]
        searches: usize,
        #[arg(long, default_value_t = 5)]
        interval: u64,
    },
    /// Many searches a second over some time: nothing lost, time to the first result, memory
    Searches {
        #[arg(long, default_value_t = 1_000)]
        peers: usize,
        /// A second
        #[arg(long, default_value_t = 20)]
        rate: u32,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// How long introductions take to peers that are there and to names that nobody holds
    Introductions {
        #[arg(long, default_value_t = 5_000)]
        rounds: usize,
    },
    /// A restart while many are connected: how soon all are back, and how evenly
    Restart {
        #[arg(long, default_value_t = 1_000)]
        peers: usize,
    },
    /// One large file, fetched, verified and synced, against curl over HTTPS from nginx to a synced file.
    Stream {
        #[arg(long, default_value_t = 2048)]
        mebibytes: u32,
        /// Turns of each side; medians are told.
        #[arg(long, default_value_t = 5)]
        runs: u32,
    },
    /// A folder of many files of 10 KiB in one `get`, against curl fetching them over one HTTPS connection from nginx
    SmallFiles {
        #[arg(long, default_value_t = 1_000)]
        files: u32,
        /// Turns of each side; medians are told.
        #[arg(long, default_value_t = 5)]
        runs: u32,
    },
    /// `peerctl status` against a bare process, the web page's first paint, and its size
    Face {
        #[arg(long, default_value_t = 21)]
        runs: u32,
    },
    /// The bare server that the coordinator is compared with
    #[command(hide = true)]
    BareServer {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        ready_file: PathBuf,
        /// Ends connections as the coordinator ends those that carried content
        #[arg(long)]
        closing: bool,
    },
}

pub(crate) fn run(command: Command) -> Result<()> {
    if let Command::BareServer { listen, ready_file, closing } = command {
        return Ok(bare_server::serve(listen, &ready_file, closing)?);
    }
    if let Command::Stream { .. } | Command::SmallFiles { .. } | Command::Face { .. } = command {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(with_real_daemons(command));
    }
    measure::raise_open_files()?;
    measure::print_machine();
    // One thread: the other processor is the server's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Coordinator { peers, searches, interval } => {
                waves::run(&peers, searches, Duration::from_secs(interval)).await
            }
            Command::Searches { peers, rate, seconds } => {
                sustained::run(peers, rate, Duration::from_secs(seconds)).await
            }
            Command::Introductions { rounds } => introductions::run(rounds).await,
            Command::Restart { peers } => restart::run(peers).await,
            Command::BareServer { .. }
            | Command::Stream { .. }
            | Command::SmallFiles { .. }
            | Command::Face { .. } => Ok(()),
        }
    })
}

async fn with_real_daemons(command: Command) -> Result<()> {
    match command {
        Command::Stream { mebibytes, runs } => stream::measure(mebibytes, runs).await,
        Command::SmallFiles { files, runs } => small_files::measure(files, runs).await,
        Command::Face { runs } => face::measure(runs).await,
        _ => Ok(()),
    }
}
