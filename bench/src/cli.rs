//! The command line, and what follows from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum as _};

use crate::{
    bare_server,
    column::Column,
    face, introductions, measure,
    pace::Pace,
    restart, searches,
    side_by_side::{self, Plan},
    small_files, stream,
};

#[derive(Parser)]
#[command(name = "hearsay-bench", about = "Measurements against named baselines")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What peers cost that are there and search: the coordinator, a bare long-poll, nchan and uhub, in turns
    Coordinator {
        /// How many peers, one measurement after the other
        #[arg(long, value_delimiter = ',', default_value = "1000,5000,15000")]
        peers: Vec<usize>,
        /// Only these servers
        #[arg(long, value_delimiter = ',', value_enum, default_values_t = Column::value_variants().iter().copied())]
        columns: Vec<Column>,
        /// Medians are told, and the lowest and highest beside them
        #[arg(long, default_value_t = 1)]
        runs: usize,
        /// In each run
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
        searches: u32,
        /// Seconds from search to search; connections that carried content live for 4 to 10 of them
        #[arg(long, default_value = "5", value_parser = seconds)]
        interval: Duration,
    },
    /// Many searches a second over some time: nothing lost, time to the first result, memory
    Searches {
        #[arg(long, default_value_t = 1_000)]
        peers: usize,
        /// A second
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
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
        /// Milliseconds that every byte takes from one to the other
        #[arg(long, default_value = "0", value_parser = milliseconds)]
        delay: Duration,
    },
    /// A folder of many files of 10 KiB in one `get`, against curl fetching them over one HTTPS connection from nginx
    SmallFiles {
        #[arg(long, default_value_t = 1_000)]
        files: u32,
        /// Turns of each side; medians are told.
        #[arg(long, default_value_t = 5)]
        runs: u32,
        /// Milliseconds that every byte takes from one to the other
        #[arg(long, default_value = "0", value_parser = milliseconds)]
        delay: Duration,
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
        /// Ends connections as the coordinator ends those that carried content: so many milliseconds after they began,
        /// at the least and at the most
        #[arg(long, num_args = 2, value_names = ["LEAST", "MOST"])]
        close_after: Vec<u64>,
    },
}

pub(crate) fn run(command: Command) -> Result<()> {
    if let Command::BareServer { listen, ready_file, close_after } = command {
        let after = close_after.first().zip(close_after.last());
        let after = after.map(|(least, most)| Duration::from_millis(*least)..=Duration::from_millis(*most));
        return Ok(bare_server::serve(listen, &ready_file, after)?);
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
            Command::Coordinator { peers, columns, runs, searches, interval } => {
                let pace = Pace { searches, interval };
                side_by_side::run(&Plan { sizes: peers, columns, runs, pace }).await
            }
            Command::Searches { peers, rate, seconds } => {
                searches::run(peers, rate, Duration::from_secs(seconds)).await
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
        Command::Stream { mebibytes, runs, delay } => stream::measure(mebibytes, runs, delay).await,
        Command::SmallFiles { files, runs, delay } => small_files::measure(files, runs, delay).await,
        Command::Face { runs } => face::measure(runs).await,
        _ => Ok(()),
    }
}

/// With less than a second, the searches of many peers would meet.
fn seconds(text: &str) -> Result<Duration> {
    let duration = Duration::try_from_secs_f64(text.parse()?)?;
    ensure!(duration >= Duration::from_secs(1), "at least 1");
    Ok(duration)
}

fn milliseconds(text: &str) -> Result<Duration> {
    Ok(Duration::from_millis(text.parse()?))
}
