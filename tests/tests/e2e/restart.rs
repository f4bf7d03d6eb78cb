//! A restart of the coordinator while many are connected, search, and have introductions under way: all come back,
//! spread by the drain, under their names; and every introduction that was ever begun reaches its end, once.
//!
//! What "once" means is said where the peers are (`restart/crowd.rs`). That real daemons lose and double nothing either
//! is held by `proxy_restarts.rs`.

mod crowd;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hearsay_tests::{
    api_client::ApiClient,
    clock,
    coordinator::Coordinator,
    process::raise_open_files,
    wait::{PATIENCE, until},
};
use protocol::limits::RETURN_SPREAD;
use tokio::task::JoinSet;

use self::crowd::{Fate, Ledger, Peer, Role};

const PEERS: usize = 1_000;
/// Of ten peers, two ask and two are asked, one searches and one has what is searched for.
const ROLES: [Role; 10] = [
    Role::Requester,
    Role::Target,
    Role::Bystander,
    Role::Requester,
    Role::Target,
    Role::Bystander,
    Role::Bystander,
    Role::Bystander,
    Role::Bystander,
    Role::Bystander,
];
/// However many peers there are: each search goes to all of them.
const SEARCHERS: usize = 4;
const HOLDERS: usize = 10;
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// No second of the return has more than so many times its mean rate.
const CROWDING_MAX: usize = 3;
/// A restart takes no longer on an idle machine. Whoever is due while it takes longer finds nobody, and comes right
/// after it, beside those who are due then.
const QUICK_RESTART: Duration = Duration::from_secs(1);

fn role_of(number: usize) -> Role {
    match ROLES[number % ROLES.len()] {
        Role::Bystander if number / ROLES.len() < SEARCHERS && number % ROLES.len() == 8 => Role::Searcher,
        Role::Bystander if number / ROLES.len() < HOLDERS && number % ROLES.len() == 9 => Role::Holder,
        role => role,
    }
}

/// How many came in the fullest second since the first one.
fn fullest_second(returned: &[Instant]) -> usize {
    let mut seconds = BTreeMap::<u64, usize>::new();
    for at in returned {
        let since = returned.iter().min().map_or(Duration::ZERO, |first| *at - *first);
        *seconds.entry(since.as_secs()).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or_default()
}

fn arrived_once(fate: &Fate) -> bool {
    // An event and a word for each sending of it at most.
    (fate.dials, fate.streams) == (1, 1) && fate.heard <= fate.sendings && fate.words <= fate.replies
}

#[allow(clippy::print_stderr, reason = "the figures of a run, for whoever wants them")]
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_all_are_back_and_what_was_under_way_arrives_once() {
    raise_open_files();
    let coordinator = Coordinator::start().await;
    let client = ApiClient::without_proxy(&format!("http://{}", coordinator.address()));
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let look = || ledger.lock().unwrap();
    let mut crowd = JoinSet::new();
    for number in 0..PEERS {
        crowd.spawn(Peer::new(&client, number, role_of(number), &ledger).live());
    }
    let requesters = (0..PEERS).filter(|number| role_of(*number) == Role::Requester).count();
    until("all are connected, and introductions are coming through", BACK_WITHIN, async || {
        let streams = look().introductions.values().filter(|fate| fate.streams > 0).count();
        (look().connected.len() == PEERS && streams >= 2 * requesters).then_some(())
    })
    .await;

    let before = look().connected.len();
    let begun_before = look().introductions.len();
    let start = clock::now();
    let coordinator = coordinator.stop_for_a_while().await.start_again().await;
    let restarted_late = start.elapsed().saturating_sub(QUICK_RESTART);
    let (mut looked, mut stood_still) = (clock::now(), Duration::ZERO);
    until("all are connected again", BACK_WITHIN, async || {
        // The same of a machine that does nothing for a while.
        stood_still = stood_still.max(looked.elapsed());
        looked = clock::now();
        (look().connected.len() >= before + PEERS).then_some(())
    })
    .await;
    let back_after = start.elapsed();
    let returned = look().connected.split_off(before);
    // Of a return that is spread as it should be: all at once would have a high mean of its own.
    let (fullest, mean) =
        (fullest_second(&returned), PEERS / usize::try_from(RETURN_SPREAD.as_secs()).unwrap());
    let late = (restarted_late + stood_still).min(RETURN_SPREAD);
    let due_meanwhile = mean * usize::try_from(late.as_secs()).unwrap();
    assert!(
        fullest <= CROWDING_MAX * mean + due_meanwhile,
        "{fullest} came in one second, and {mean} on the average; {due_meanwhile} were due while nobody was there"
    );

    let all_are_back = clock::now();
    until("a search finds all who have it", PATIENCE, async || {
        let ledger = look();
        let mut later = ledger.searches.values().filter(|(made, _)| *made > all_are_back);
        later.any(|(_, answers)| *answers == HOLDERS).then_some(())
    })
    .await;
    look().is_ending = true;
    until("all introductions have reached their end", BACK_WITHIN, async || {
        look().introductions.values().all(|fate| fate.streams > 0).then_some(())
    })
    .await;
    crowd.shutdown().await;
    coordinator.stop().await;

    let ledger = look();
    let wrong: Vec<_> = ledger.introductions.iter().filter(|(_, fate)| !arrived_once(fate)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let twice = ledger.searches.values().filter(|(_, answers)| *answers > HOLDERS).count();
    assert_eq!(twice, 0, "searches with answers that came twice");
    let sent_again = ledger.introductions.values().filter(|fate| fate.sendings > 1).count();
    eprintln!(
        "{PEERS} peers: back after {back_after:?}, fullest second {fullest}, mean {mean}; {} introductions, \
         {begun_before} of them begun before, {sent_again} sent again; none lost, none doubled",
        ledger.introductions.len(),
    );
}
