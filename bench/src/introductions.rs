//! Whether the time that an introduction takes tells who is there. Introductions to peers that poll, to peers that
//! are away for a moment and to names that nobody holds are made in turns, in random order, and their times compared.

use std::{rc::Rc, time::Duration};

use anyhow::{Result, ensure};
use protocol::{IntroductionId, Username};
use rand::seq::SliceRandom as _;
use tokio::task::LocalSet;

use crate::{
    clock,
    crowd::{self, Heard},
    measure::{median, percentile},
    peer::Peer,
    report::{Table, as_f64},
    server::Server,
};

/// Budgets are not what is measured here; and what was withdrawn is soon forgotten, for one requester makes all.
const UNLIMITED: &str = "
lifetimes.introduction_seconds = 1
limits.pending_introductions = 1000
limits.introductions_per_second = 1000000
limits.introductions_burst = 1000000
limits.polls_per_second = 1000000
limits.polls_burst = 1000000
";
const PEERS: usize = 200;
const KINDS: [&str; 3] = ["there, and polling", "there, between polls", "nobody"];

pub(crate) async fn run(rounds: usize) -> Result<()> {
    let server = Server::coordinator(UNLIMITED).await?;
    let (local, heard) = (LocalSet::new(), Rc::new(Heard::default()));
    let polling: Vec<Peer> = (1..=PEERS).map(|number| Peer::new(number, server.address)).collect();
    let names_of = |peers: &[Peer]| -> Result<Vec<Username>> {
        peers.iter().map(|peer| Ok(peer.username().parse()?)).collect()
    };
    let mut away: Vec<Peer> = (1..=PEERS).map(|number| Peer::new(PEERS + number, server.address)).collect();
    let nobody: Vec<Peer> = (1..=PEERS).map(|number| Peer::new(2 * PEERS + number, server.address)).collect();
    let names = [names_of(&polling)?, names_of(&away)?, names_of(&nobody)?];
    crowd::connect(polling, &local, &heard).await?;
    let times = local
        .run_until(async {
            let mut requester = Peer::new(4 * PEERS, server.address);
            requester.connect().await?;
            let mut times: [Vec<Duration>; 3] = Default::default();
            for round in 0..rounds {
                if round % 1_000 == 0 {
                    // Their leases are a minute.
                    for peer in &mut away {
                        peer.connect().await?;
                    }
                }
                let mut order = [0, 1, 2];
                order.shuffle(&mut rand::rng());
                for kind in order {
                    let id = IntroductionId::random();
                    let to = &names[kind][round % PEERS];
                    let start = clock::now();
                    let answer = requester.introduce(id, to).await?;
                    times[kind].push(start.elapsed());
                    ensure!(answer.status == 202, "an introduction was refused: {}", answer.body);
                    let _ = requester.withdraw(id).await?;
                }
            }
            Ok(times)
        })
        .await?;
    drop(local);
    server.stop().await;
    let mut table = Table::new("", &KINDS.map(str::to_owned));
    for percent in [10, 50, 90, 99] {
        table.row(
            &format!("p{percent}"),
            times.iter().map(|times| format!("{:?}", percentile(times, percent).unwrap_or_default())),
        );
    }
    table.print();
    println!("\nMedians of {rounds} introductions each, so that the difference of two shows:");
    let halves = |times: &[Duration]| {
        let (first, second) = times.split_at(times.len() / 2);
        (median(first).unwrap_or_default(), median(second).unwrap_or_default())
    };
    for (kind, times) in KINDS.iter().zip(&times) {
        let (first, second) = halves(times);
        println!("- {kind}: first half {first:?}, second half {second:?}");
    }
    println!(
        "- chance to tell one who is there from nobody by one introduction: {:.1} % (50 % is guessing)",
        100.0 * chance_to_tell(&times[0], &times[2])
    );
    Ok(())
}

/// How often the best threshold on the time tells two kinds apart.
fn chance_to_tell(present: &[Duration], absent: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, f64)> = Vec::new();
    all.extend(present.iter().map(|time| (*time, 1.0 / as_f64(present.len()))));
    all.extend(absent.iter().map(|time| (*time, -1.0 / as_f64(absent.len()))));
    all.sort_by_key(|(time, _)| *time);
    let mut difference = 0.0_f64;
    let mut greatest = 0.0_f64;
    for (_, step) in all {
        difference += step;
        greatest = greatest.max(difference.abs());
    }
    0.5 + greatest / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_told_apart_and_what_is_alike_is_not() {
        let times = |from: u64| (from..from + 10).map(Duration::from_millis).collect::<Vec<_>>();
        assert!(chance_to_tell(&times(0), &times(100)) > 0.99);
        assert!(chance_to_tell(&times(0), &times(0)) < 0.56);
    }
}
