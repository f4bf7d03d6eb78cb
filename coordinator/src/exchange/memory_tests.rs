use std::{num::NonZeroU32, sync::mpsc::channel, thread};

use protocol::{introduction::Sealed, match_rule::Query};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    config::Config,
    domain::sessions::{LineageHash, Proof},
    rules::rules,
};

const ROUNDS: usize = 500;
const SEARCHES: usize = 100;
const LATEST: Duration = Duration::from_mins(1);

fn session(id: u8) -> SessionId {
    SessionId([id; 16])
}

fn name(id: u8) -> HashedName {
    HashedName { skeleton: [id; 16], exact: [id; 16] }
}

/// An exchange at work, on which alice calls and bert polls.
struct Running {
    exchange: Arc<MemoryExchange>,
    alice: Caller,
    line: Arc<Line>,
    /// How many events each of bert's answers had.
    heard: mpsc::Receiver<usize>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    async fn start() -> Self {
        let mut config = Config::default();
        config.limits.polls_per_second = NonZeroU32::new(1_000_000).unwrap();
        config.limits.polls_burst = NonZeroU32::new(1_000).unwrap();
        config.limits.pending_introductions = ROUNDS;
        let exchange = Arc::new(MemoryExchange::new(rules(&config, clock::now())));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (running, stopped) = (Arc::clone(&exchange), stop.clone());
        tasks.spawn(async move { running.run_until(stopped).await });
        let line = exchange.line();
        tasks.spawn(stop.clone().run_until_cancelled_owned(Arc::clone(&line).relay()));
        let (alice, _bert) = (caller(&exchange, 1).await, caller(&exchange, 2).await);
        let (tell, heard) = mpsc::channel(1);
        tasks.spawn(poll_on(Arc::clone(&exchange), Arc::clone(&line), tell));
        Self { exchange, alice, line, heard, tasks, stop }
    }

    async fn stop(mut self) {
        self.exchange.end_waits();
        assert_eq!(self.heard.recv().await, None, "its poll has ended");
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn caller(exchange: &MemoryExchange, id: u8) -> Caller {
    let lineage = LineageHash([id; 16]);
    let claim = Claim { session: session(id), name: name(id), lineage, proof: Proof::None, epoch: 0 };
    exchange.claim(claim).await.unwrap();
    exchange.caller(session(id)).await.unwrap()
}

/// What a cursor names does not come again.
async fn poll_on(exchange: Arc<MemoryExchange>, line: Arc<Line>, tell: mpsc::Sender<usize>) {
    let mut cursor = None;
    loop {
        let until = clock::now() + LATEST;
        let Ok(Some(batch)) = exchange.wait(&line, session(2), cursor, until).await else { return };
        cursor = Some(batch.cursor);
        if tell.send(batch.events.len()).await.is_err() {
            return;
        }
    }
}

/// Polls take no lock that deliveries hold: a word that comes between a look and its end must not be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_reaches_a_poll_whenever_it_comes() {
    let mut running = Running::start().await;
    let Running { exchange, alice, heard, .. } = &mut running;
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
            exchange.introduce(*alice, introduction).await.unwrap();
            // Together with the word that it is withdrawn, or apart.
            let mut events = if round % 2 == 0 { heard.recv().await.unwrap() } else { 0 };
            exchange.withdraw_introduction(*alice, id).await.unwrap();
            while events < 2 {
                events += heard.recv().await.unwrap();
            }
            assert_eq!(events, 2, "round {round}: something came twice");
        }
        // The poll after it acknowledges what the last one heard.
        while exchange.load().await.mail_bytes > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LATEST, rounds).await.expect("a word was missed, or is kept");
    running.stop().await;
}

/// However long somebody holds the one lock that there is. The thread is one of its own, and its poll needs no timer: a
/// worker may wait for the lock meanwhile, and with it all timers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_does_not_wait_for_the_lock_of_all_else() {
    let running = Running::start().await;
    let (exchange, line, runtime) = (&running.exchange, &running.line, Handle::current());
    let polled = thread::scope(|scope| {
        let (tell, told) = channel();
        let held = exchange.lock();
        scope.spawn(move || {
            let _runtime = runtime.enter();
            let polled = exchange.wait(line, session(1), None, clock::now() + LATEST).now_or_never();
            tell.send(polled.is_none())
        });
        let polled = told.recv_timeout(LATEST / 10);
        drop(held);
        polled
    });
    assert_eq!(polled, Ok(true), "it is parked");
    running.stop().await;
}

/// Once in 50 ms, so that many of them cost little more than one.
#[tokio::test]
async fn searches_that_come_one_upon_the_other_are_told_together() {
    let mut running = Running::start().await;
    let start = clock::now();
    let (exchange, alice) = (Arc::clone(&running.exchange), running.alice);
    let searching = async {
        for _ in 0..SEARCHES {
            let subject = Subject::Query(Query::parse("holiday photos").unwrap());
            exchange.open_search(alice, SearchId::random(), subject).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let hearing = async {
        let (mut events, mut answers) = (0, 0);
        while events < SEARCHES {
            events += running.heard.recv().await.unwrap();
            answers += 1;
        }
        answers
    };
    let ((), answers) = tokio::join!(searching, hearing);
    let waves = 1 + start.elapsed().as_millis() / 50;
    // A poll that is back at once may find what has come since.
    assert!(answers <= 2 * waves, "{answers} answers in {waves} waves");
    running.stop().await;
}
