//! Searches over a real link to a fake coordinator.

use std::{
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use protocol::{
    CertificateSha256, Code, Event, FileId, FolderSummary, ReplyKey, Root, SafeName, SearchId, Username,
    control::Search,
    limits::{FILE_SIZE_MAX, LISTING_BYTES_MAX},
    link::Link,
    match_rule::{MatchClass, Query},
    search::{ClassedMatch, Match, Subject},
    session::NameToken,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{AnswerKeys, Catalogue, SearchError, Searches, TargetError};
use crate::coordinator_link::{
    CallError, CoordinatorLink, LinkEvent, NameTokenStore,
    fake_coordinator::{FakeCoordinator, Fault, PATIENCE},
};

const SEARCH: &str = "PUT /v1/searches/";
const ANSWER: &str = "POST /v1/searches/";
const WITHDRAW: &str = "DELETE /v1/searches/";
const KEYS: AnswerKeys = AnswerKeys {
    reply_key: ReplyKey::from_bytes([8; 32]),
    certificate_sha256: CertificateSha256::from_bytes([9; 32]),
};

struct NoNames;

impl NameTokenStore for NoNames {
    fn load(&self, _username: &Username) -> Option<NameToken> {
        None
    }
    fn save(&self, _username: &Username, _token: &NameToken) {}
}

/// Five files match `manual`, none anything else. Its gate, while closed, holds a search.
#[derive(Default)]
struct Shelf {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Shelf {
    fn set_closed(&self, is_closed: bool) {
        *self.is_closed.lock().unwrap() = is_closed;
        self.opened.notify_all();
    }
}

impl Catalogue for Shelf {
    fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        let gate = self.opened.wait_while(self.is_closed.lock().unwrap(), |is_closed| *is_closed);
        drop(gate.unwrap());
        let is_wanted = matches!(subject, Subject::Query(query) if query.as_str() == "manual");
        let file =
            |size| Match { name: safe("manual.pdf"), size, root: Root::from_bytes([1; 32]), folder: None };
        (1..=5).map(file).filter(|_| is_wanted).take(limit).collect()
    }
}

struct Peer {
    searches: Searches,
    link: CoordinatorLink,
    shelf: Arc<Shelf>,
    keys: watch::Sender<Option<AnswerKeys>>,
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Peer {
    async fn connected(fake: &FakeCoordinator) -> Self {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let (link, mut events) =
            CoordinatorLink::start(fake.config(), NoNames, &tracker, token.clone()).unwrap();
        let (shelf, keys) = (Arc::new(Shelf::default()), watch::channel(Some(KEYS)).0);
        let searches = Searches::new(link.clone(), shelf.clone(), keys.subscribe(), &tracker, token.clone());
        let pumped = searches.clone();
        tracker.spawn(async move {
            while let Some(event) = events.recv().await {
                if let LinkEvent::Event(event) = event {
                    pumped.on_event(&event);
                }
            }
        });
        link.connect(Username::parse("alice").unwrap()).await.unwrap();
        Self { searches, link, shelf, keys, tracker, token }
    }

    async fn view(&self, number: u64, known: usize) -> Search {
        timeout(PATIENCE, self.searches.view(number, known, PATIENCE)).await.unwrap().unwrap()
    }

    async fn stop(self) {
        self.shelf.set_closed(false);
        self.token.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.expect("something did not end");
    }
}

fn safe(name: &str) -> SafeName {
    SafeName::parse(name).unwrap()
}

/// The id of the last search that the coordinator was asked.
fn last_search(fake: &FakeCoordinator) -> SearchId {
    fake.seen(SEARCH).last().unwrap().call.trim_start_matches(SEARCH).parse().unwrap()
}

fn results(id: SearchId, user: &str, matches: &[(&str, u64, MatchClass)]) -> Event {
    let classed = |&(name, size, class): &(&str, u64, MatchClass)| ClassedMatch {
        name: safe(name),
        size,
        root: Root::from_bytes([1; 32]),
        folder: None,
        class,
    };
    Event::SearchResults {
        id,
        username: Username::parse(user).unwrap(),
        reply_key: ReplyKey::from_bytes([2; 32]),
        certificate_sha256: CertificateSha256::from_bytes([3; 32]),
        matches: matches.iter().map(classed).collect(),
    }
}

fn asked(id: u8, query: &str) -> Event {
    let subject = Subject::Query(Query::parse(query).unwrap());
    Event::Search { id: SearchId::from_bytes([id; 16]), subject, spread_milliseconds: 10 }
}

#[tokio::test]
async fn results_are_seen_as_they_come_and_named_by_number() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    let search = peer.searches.start("manual").await.unwrap();
    assert_eq!((search.search.as_str(), search.finished, search.results.len()), ("1", false, 0));
    let id = last_search(&fake);
    fake.push(&results(
        id,
        "bob",
        &[("a manual", 1, MatchClass::Substring), ("huge", FILE_SIZE_MAX + 1, MatchClass::Exact)],
    ));
    assert_eq!(peer.view(1, 0).await.results.len(), 1);
    fake.push(&results(id, "carol", &[("manual", 2, MatchClass::Exact)]));
    let numbers: Vec<_> = peer.view(1, 1).await.results.iter().map(|result| result.number).collect();
    assert_eq!(numbers, [2, 1], "exact first, each with the number of its arrival");
    let source = peer.searches.source("2").unwrap();
    assert_eq!((source.username.as_str(), source.file.size), ("carol", 2));
    assert_eq!(source.reply_key, ReplyKey::from_bytes([2; 32]));
    fake.push(&Event::SearchFinished { id });
    assert!(peer.view(1, 2).await.finished);
    assert_eq!(peer.searches.view(7, 0, PATIENCE).await, None);
    peer.stop().await;
}

#[tokio::test]
async fn results_that_outrun_the_calls_answer_are_kept() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    fake.fault(SEARCH, Fault::Problem(Code::RateLimited, Some(1)));
    let searches = peer.searches.clone();
    let starting = peer.tracker.spawn(async move { searches.start("manual").await });
    fake.until_seen(SEARCH, 1).await;
    fake.push(&results(last_search(&fake), "bob", &[("manual", 1, MatchClass::Exact)]));
    assert_eq!(peer.view(1, 0).await.results.len(), 1);
    assert_eq!(starting.await.unwrap().unwrap().results.len(), 1);
    peer.stop().await;
}

#[tokio::test]
async fn a_search_without_a_word_from_the_coordinator_finishes_by_itself() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    fake.fault(SEARCH, Fault::Foreign(202, r#"{"deadline_seconds":0}"#.to_owned()));
    peer.searches.start("manual").await.unwrap();
    let begun = crate::clock::now();
    assert!(peer.view(1, 0).await.finished);
    assert!(begun.elapsed() < PATIENCE / 2, "the view waited for more than the search's end");
    peer.stop().await;
}

#[tokio::test]
async fn a_view_returns_at_its_wait() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    peer.searches.start("manual").await.unwrap();
    let view = peer.searches.view(1, 0, Duration::from_millis(50)).await.unwrap();
    assert!(!view.finished && view.results.is_empty());
    peer.stop().await;
}

#[tokio::test]
async fn a_search_that_failed_leaves_nothing_behind() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    assert!(matches!(peer.searches.start("a").await, Err(SearchError::Query(_))));
    assert!(fake.seen(SEARCH).is_empty());
    peer.link.disconnect().await;
    assert_eq!(peer.searches.start("manual").await, Err(SearchError::Call(CallError::NotConnected)));
    assert_eq!(peer.searches.source("1"), Err(TargetError::SearchUnknown));
    peer.stop().await;
}

#[tokio::test]
async fn a_file_is_looked_up_by_its_root_and_the_search_taken_back() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    let file = FileId::new(Root::from_bytes([1; 32]), 5).unwrap();
    let searches = peer.searches.clone();
    let looking = peer.tracker.spawn(async move { searches.find_sources(&file, PATIENCE).await });
    let seen = fake.until_seen(SEARCH, 1).await;
    assert_eq!((&seen[0].body["root"], &seen[0].body["size"]), (&file.root.to_string().into(), &5.into()));
    let id = last_search(&fake);
    fake.push(&results(id, "bob", &[("manual", 5, MatchClass::Exact), ("other", 6, MatchClass::Exact)]));
    fake.push(&results(id, "carol", &[("manual", 5, MatchClass::Exact)]));
    let sources = looking.await.unwrap().unwrap();
    let users: Vec<_> = sources.iter().map(|source| source.username.as_str()).collect();
    assert_eq!(users, ["bob", "carol"]);
    fake.until_seen(WITHDRAW, 1).await;
    assert_eq!(peer.searches.source("1"), Err(TargetError::SearchUnknown), "a look-up has no number");
    peer.stop().await;
}

/// As `bob` would have it, who has none; the first to answer.
fn claims_a_folder(id: SearchId, size: u64) -> Event {
    let mut claim = results(id, "bob", &[("lie", size, MatchClass::Exact)]);
    if let Event::SearchResults { matches, .. } = &mut claim {
        matches[0].folder = Some(FolderSummary { files: 1, bytes: 1 });
    }
    claim
}

/// Who says first what it is, is not believed: the link tells.
#[tokio::test]
async fn a_link_leads_to_whoever_has_it_for_what_the_link_says_it_is() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    for (is_folder, has_a_file, expected) in
        [(false, true, Some("carol")), (false, false, Some("bob")), (true, true, Some("bob"))]
    {
        let file = FileId::new(Root::from_bytes([1; 32]), 5).unwrap();
        let (searches, link) = (peer.searches.clone(), Link { file, name: safe("linked"), is_folder });
        let before = fake.seen(SEARCH).len();
        let looking = peer.tracker.spawn(async move { searches.find_linked(link, PATIENCE).await });
        fake.until_seen(SEARCH, before + 1).await;
        let id = last_search(&fake);
        fake.push(&claims_a_folder(id, 5));
        if has_a_file {
            fake.push(&results(id, "carol", &[("manual", 5, MatchClass::Exact)]));
        }
        fake.push(&Event::SearchFinished { id });
        let found = looking.await.unwrap().unwrap();
        assert_eq!(
            found.as_ref().map(|source| source.username.as_str()),
            expected,
            "{is_folder} {has_a_file}"
        );
        assert_eq!(found.unwrap().name, safe("linked"));
    }
    peer.stop().await;
}

#[tokio::test]
async fn what_is_too_long_for_a_listing_is_no_folder() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    peer.searches.start("lie").await.unwrap();
    for size in [LISTING_BYTES_MAX, LISTING_BYTES_MAX + 1] {
        fake.push(&claims_a_folder(last_search(&fake), size));
    }
    let results = peer.view(1, 1).await.results;
    assert_eq!(results.iter().map(|found| found.folder.is_some()).collect::<Vec<_>>(), [true, false]);
    peer.stop().await;
}

#[tokio::test]
async fn a_lookup_that_is_given_up_is_taken_back() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    let file = FileId::new(Root::from_bytes([1; 32]), 5).unwrap();
    let nobody = peer.searches.find_sources(&file, Duration::from_millis(300)).await;
    assert_eq!(nobody, Ok(Vec::new()));
    fake.until_seen(WITHDRAW, 1).await;
    peer.stop().await;
}

#[tokio::test]
async fn a_match_is_answered_once_with_the_keys_of_the_moment() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    fake.push(&asked(1, "manual"));
    fake.push(&asked(1, "manual"));
    let seen = fake.until_seen(ANSWER, 1).await;
    assert_eq!(seen[0].call, format!("{ANSWER}{}/answer", SearchId::from_bytes([1; 16])));
    assert_eq!(seen[0].body["reply_key"], KEYS.reply_key.to_string());
    assert_eq!(seen[0].body["certificate_sha256"], KEYS.certificate_sha256.to_string());
    assert_eq!(seen[0].body["matches"].as_array().unwrap().len(), 2, "as many as the session may");

    let other = AnswerKeys { reply_key: ReplyKey::from_bytes([7; 32]), ..KEYS };
    peer.keys.send_replace(Some(other));
    fake.push(&asked(2, "manual"));
    let seen = fake.until_seen(ANSWER, 2).await;
    assert_eq!(seen[1].body["reply_key"], other.reply_key.to_string());
    assert_eq!(seen.len(), 2, "the first was answered twice");
    peer.stop().await;
}

#[tokio::test]
async fn nothing_is_said_without_a_match_or_without_keys() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    peer.keys.send_replace(None);
    for event in [asked(1, "cookbook"), asked(2, "manual")] {
        peer.searches.on_event(&event);
    }
    // Both have been dealt with when nothing is under way any more.
    let all = u32::try_from(super::answers::UNDER_WAY_MAX).unwrap();
    let idle = peer.searches.shared.answerer.under_way.acquire_many(all);
    drop(timeout(PATIENCE, idle).await.unwrap().unwrap());
    assert!(fake.seen(ANSWER).is_empty());
    peer.stop().await;
}

#[tokio::test]
async fn a_flood_of_searches_is_answered_up_to_the_limit() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    peer.shelf.set_closed(true);
    for id in 0..=255 {
        peer.searches.on_event(&asked(id, "manual"));
    }
    peer.shelf.set_closed(false);
    let limit = super::answers::UNDER_WAY_MAX;
    fake.until_seen(ANSWER, limit).await;
    let idle = peer.searches.shared.answerer.under_way.acquire_many(u32::try_from(limit).unwrap());
    drop(timeout(PATIENCE, idle).await.unwrap().unwrap());
    assert_eq!(fake.seen(ANSWER).len(), limit);
    peer.stop().await;
}

#[tokio::test]
async fn a_search_is_made_again_under_its_number_and_a_coordinator_that_is_away_takes_nothing_from_it() {
    let fake = FakeCoordinator::start().await;
    let peer = Peer::connected(&fake).await;
    let first = peer.searches.start("manual").await.unwrap();
    let id = last_search(&fake);
    fake.push(&results(id, "bob", &[("manual.pdf", 1, MatchClass::Exact)]));
    assert_eq!(peer.view(1, 0).await.results.len(), 1);

    let again = peer.searches.again(1).await.unwrap().unwrap();
    assert_eq!((again.search, again.query, again.results.len()), (first.search, first.query, 1));
    let id = last_search(&fake);
    fake.push(&results(id, "carl", &[("manual.pdf", 1, MatchClass::Exact)]));
    let users: Vec<_> = peer.view(1, 1).await.results.into_iter().map(|result| result.username).collect();
    assert_eq!(users.iter().map(Username::as_str).collect::<Vec<_>>(), ["bob", "carl"]);
    assert_eq!(peer.searches.again(2).await, Ok(None));

    peer.link.disconnect().await;
    assert!(matches!(peer.searches.again(1).await, Err(SearchError::Call(CallError::NotConnected))));
    let kept = peer.view(1, 0).await;
    assert!(kept.finished && kept.results.len() == 2, "{kept:?}");
    peer.stop().await;
}
