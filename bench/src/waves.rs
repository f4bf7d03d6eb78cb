//! What peers cost that are there and hear each search: the coordinator and the bare server in turns.

use std::{rc::Rc, time::Duration};

use anyhow::Result;
use protocol::SearchId;
use tokio::task::LocalSet;

use crate::{
    client::Connection,
    clock,
    crowd::{self, Heard},
    measure::median,
    nchan,
    peer::{self, Peer},
    report::{Table, kibibytes_each, microseconds_each, milliseconds},
    server::Server,
};

/// Idle peers are looked at for so long.
const IDLE: Duration = Duration::from_secs(5);
/// What the search event is on the wire, for the bare server to send as well; its cursor is a number.
fn message(round: usize) -> String {
    let search = concat!(
        r#"{"type":"search","id":"00000000000000000000000000000000","#,
        r#""query":"holiday photos 2026","spread_milliseconds":1000}"#
    );
    format!(r#"{{"cursor":"{round:048}","events":[{search}]}}"#)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bare,
    /// Connections end as those of the coordinator do.
    BareClosing,
    Coordinator,
    Nchan,
}

impl Kind {
    async fn start(self) -> Result<Server> {
        match self {
            Self::Bare => Server::bare(false).await,
            Self::BareClosing => Server::bare(true).await,
            Self::Coordinator => Server::coordinator("").await,
            Self::Nchan => Server::nchan().await,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareClosing => "bare, closing",
            Self::Coordinator => "coordinator",
            Self::Nchan => "nchan",
        }
    }
}

/// The figures of one server with so many peers.
struct Figures {
    kind: Kind,
    peers: usize,
    connect_time: Duration,
    connect_cpu: Duration,
    memory: u64,
    idle_cpu: Duration,
    /// From the call until the last has it, for each search.
    reached: Vec<Duration>,
    /// Of all searches, with the connections that were closed and opened meanwhile.
    cpu: Duration,
    memory_afterwards: u64,
}

pub(crate) async fn run(sizes: &[usize], searches: usize, interval: Duration) -> Result<()> {
    println!(
        "{searches} searches, one every {} s; connections that carried content are closed as always (20 to 50 s)",
        interval.as_secs()
    );
    let mut all = Vec::new();
    for peers in sizes {
        let bare = measure(Kind::Bare, *peers, searches, interval).await?;
        let closing = measure(Kind::BareClosing, *peers, searches, interval).await?;
        let ours = measure(Kind::Coordinator, *peers, searches, interval).await?;
        let nchan = if nchan::is_installed() {
            Some(measure(Kind::Nchan, *peers, searches, interval).await?)
        } else {
            None
        };
        print(&[&bare, &closing, &ours].into_iter().chain(&nchan).collect::<Vec<_>>());
        all.push([bare, closing, ours]);
    }
    println!("\nRatios, of the coordinator to the bare server:");
    for [bare, closing, ours] in &all {
        println!(
            "- {} peers: memory {:.2} (aim: at most 1.15), time until a search has reached all {:.2} (aim: at most \
             1.2), processor time {:.2}, and {:.2} where the bare one closes connections, too",
            ours.peers,
            ratio(ours.memory, bare.memory),
            ratio_of_times(median(&ours.reached), median(&bare.reached)),
            ratio_of_times(Some(ours.cpu), Some(bare.cpu)),
            ratio_of_times(Some(ours.cpu), Some(closing.cpu)),
        );
    }
    Ok(())
}

async fn measure(kind: Kind, count: usize, searches: usize, interval: Duration) -> Result<Figures> {
    let (server, is_bare) = (kind.start().await?, kind != Kind::Coordinator);
    let (local, heard) = (LocalSet::new(), Rc::new(Heard::default()));
    let peers = (1..=count).map(|number| Peer::new(number, server.address)).collect();
    let memory_before = server.resident()?;
    let (cpu_before, start) = (server.cpu()?, clock::now());
    if is_bare {
        crowd::poll_bare(peers, &local, &heard);
    } else {
        crowd::connect(peers, &local, &heard).await?;
    }
    local.run_until(server.until_parked(count)).await?;
    let (connect_time, connect_cpu) = (start.elapsed(), server.cpu()?.saturating_sub(cpu_before));
    let memory = server.resident()? - memory_before;

    let cpu_before = server.cpu()?;
    local.run_until(tokio::time::sleep(IDLE)).await;
    let idle_cpu = server.cpu()?.saturating_sub(cpu_before);

    let cpu_before = server.cpu()?;
    let mut reached = Vec::new();
    local
        .run_until(async {
            let mut asker = Peer::new(count + 1, server.address);
            if !is_bare {
                asker.connect().await?;
            }
            for round in 1..=searches {
                let start = clock::now();
                if is_bare {
                    let mut connection = Connection::open(peer::address(0), server.address).await?;
                    let told = heard.until_answered(round * count);
                    let message = message(round);
                    let call = connection.call("PUT", "/tell", "", Some(&message));
                    let (answer, ()) = tokio::join!(call, told);
                    answer?;
                } else {
                    let id = SearchId::random();
                    let told = heard.until_search_reached(id, count);
                    let (answer, ()) = tokio::join!(asker.search(id, "holiday photos 2026"), told);
                    anyhow::ensure!(answer?.status == 202, "a search was refused");
                }
                reached.push(start.elapsed());
                server.until_parked(count).await?;
                tokio::time::sleep(interval.saturating_sub(start.elapsed())).await;
            }
            anyhow::Ok(())
        })
        .await?;
    let cpu = server.cpu()?.saturating_sub(cpu_before);
    let memory_afterwards = server.resident()? - memory_before;
    drop(local);
    server.stop().await;
    Ok(Figures {
        kind,
        peers: count,
        connect_time,
        connect_cpu,
        memory,
        idle_cpu,
        reached,
        cpu,
        memory_afterwards,
    })
}

fn print(servers: &[&Figures]) {
    let columns: Vec<_> =
        servers.iter().map(|figures| format!("{}, {}", figures.kind.name(), figures.peers)).collect();
    let mut table = Table::new(&columns);
    table.row(
        "memory a parked peer",
        servers.iter().map(|figures| format!("{:.1} KiB", kibibytes_each(figures.memory, figures.peers))),
    );
    table.row(
        "the same, after the searches",
        servers
            .iter()
            .map(|figures| format!("{:.1} KiB", kibibytes_each(figures.memory_afterwards, figures.peers))),
    );
    table.row(
        "a search has reached all after (median)",
        servers.iter().map(|figures| median(&figures.reached).map(milliseconds).unwrap_or_default()),
    );
    table.row(
        "processor time a peer and search",
        servers.iter().map(|figures| {
            format!("{:.1} µs", microseconds_each(figures.cpu, figures.peers * figures.reached.len()))
        }),
    );
    table.row(
        "processor time a connect",
        servers
            .iter()
            .map(|figures| format!("{:.1} µs", microseconds_each(figures.connect_cpu, figures.peers))),
    );
    table.row(
        "connects a second",
        servers.iter().map(|figures| {
            format!("{:.0}", crate::report::as_f64(figures.peers) / figures.connect_time.as_secs_f64())
        }),
    );
    table.row(
        "processor time of all idle peers in a second",
        servers
            .iter()
            .map(|figures| milliseconds(figures.idle_cpu / u32::try_from(IDLE.as_secs()).unwrap_or(1))),
    );
    table.print();
}

#[allow(clippy::cast_precision_loss, reason = "memory here is far below 2^53 bytes")]
fn ratio(ours: u64, bare: u64) -> f64 {
    ours as f64 / bare as f64
}

fn ratio_of_times(ours: Option<Duration>, bare: Option<Duration>) -> f64 {
    ours.unwrap_or_default().as_secs_f64() / bare.unwrap_or_default().as_secs_f64()
}
