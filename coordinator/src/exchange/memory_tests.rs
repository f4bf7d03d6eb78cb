use std::num::NonZeroU32;

use protocol::introduction::Sealed;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    config::Config,
    domain::sessions::{LineageHash, Proof},
    rules::rules,
};

const ROUNDS: usize = 500;
const LATEST: Duration = Duration::from_mins(1);

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

fn name(id: u8) -> HashedName {
    HashedName { skeleton: [id; 16], exact: [id; 16] }
}

async fn caller(exchange: &MemoryExchange, id: u8) -> Caller {
    let lineage = LineageHash([id; 16]);
    let claim = Claim { session: session(id), name: name(id), lineage, proof: Proof::None, epoch: 0 };
    exchange.claim(claim).await.unwrap();
    exchange.caller(session(id)).await.unwrap()
}

/// Tells how many events each answer has. What a cursor names does not come again.
async fn poll_on(exchange: Arc<MemoryExchange>, line: Arc<Line>, heard: mpsc::Sender<usize>) {
    let mut cursor = None;
    loop {
        let until = clock::now() + LATEST;
        let Ok(Some(batch)) = exchange.wait(&line, session(2), cursor, until).await else { return };
        cursor = Some(batch.cursor);
        if heard.send(batch.events.len()).await.is_err() {
            return;
        }
    }
}

/// Polls take no lock that deliveries hold: a word that comes between a look and its end must not be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_reaches_a_poll_whenever_it_comes() {
    let mut config = Config::default();
    config.limits.polls_per_second = NonZeroU32::new(1_000_000).unwrap();
    config.limits.polls_burst = NonZeroU32::new(1_000).unwrap();
    config.limits.pending_introductions = ROUNDS;
    let exchange = Arc::new(MemoryExchange::new(rules(&config, clock::now())));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let (running, stopped) = (Arc::clone(&exchange), stop.clone());
    tasks.spawn(async move { running.run_until(stopped).await });
    let (alice, _bert) = (caller(&exchange, 1).await, caller(&exchange, 2).await);
    let line = exchange.line();
    tasks.spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&line).relay()));
    let (heard, mut hearing) = mpsc::channel(1);
    tasks.spawn(poll_on(Arc::clone(&exchange), line, heard));

    let rounds = async {
        for round in 0..ROUNDS {
            let id = IntroductionId::random();
            let introduction = Introduction {
                id,
                from: "alice".parse().unwrap(),
                to: name(2),
                endpoint: "192.0.2.1:4821".parse().unwrap(),
                sealed: Sealed::new(vec![7; 100]),
            };
            exchange.introduce(alice, introduction).await.unwrap();
            // Together with the word that it is withdrawn, or apart.
            let mut events = if round % 2 == 0 { hearing.recv().await.unwrap() } else { 0 };
            exchange.withdraw_introduction(alice, id).await.unwrap();
            while events < 2 {
                events += hearing.recv().await.unwrap();
            }
            assert_eq!(events, 2, "round {round}: something came twice");
        }
    };
    tokio::time::timeout(LATEST, rounds).await.expect("a word was missed");
    assert_eq!(exchange.load().await.mail_bytes, 0);
    exchange.end_waits();
    assert_eq!(hearing.recv().await, None, "its poll has ended");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
