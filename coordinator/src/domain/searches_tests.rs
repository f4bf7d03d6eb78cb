use protocol::{FileId, Root, SafeName, match_rule::Query};

use super::*;

const RULES: SearchRules = SearchRules {
    lifetime: Duration::from_secs(10),
    grace: Duration::from_secs(5),
    running_max: 2,
    substring_results: 6,
    substring_results_a_peer: 4,
    exact_results: 3,
    exact_results_a_peer: 2,
};
const SEARCHER: SessionId = SessionId([1; 16]);
const PEER: SessionId = SessionId([2; 16]);

fn query(text: &str) -> Subject {
    Subject::Query(Query::parse(text).unwrap())
}

fn name(number: u8) -> HashedName {
    HashedName { skeleton: [number; 16], exact: [number; 16] }
}

fn found(name: &str, number: u8) -> Match {
    Match {
        name: SafeName::parse(name).unwrap(),
        size: 1,
        root: Root::from_bytes([number; 32]),
        folder: None,
    }
}

fn substrings(count: u8) -> Vec<ClassedMatch> {
    let matches = (0..count).map(|number| found("my holiday.jpg", number)).collect();
    classify(&query("holiday"), matches)
}

#[test]
fn an_answer_is_matched_classed_and_without_doubles() {
    let matches = vec![
        found("my holiday.jpg", 1),
        found("other.jpg", 2),
        found("Holiday.jpg", 3),
        found("my holiday.jpg", 1),
        found("my holiday.jpg", 4),
    ];
    let classed = classify(&query("holiday"), matches.clone());
    let seen: Vec<_> = classed.iter().map(|found| (found.root.as_bytes()[0], found.class)).collect();
    let (exact, substring) = (MatchClass::Exact, MatchClass::Substring);
    assert_eq!(seen, [(3, exact), (1, substring), (4, substring)]);

    let by_root = Subject::File(FileId::new(Root::from_bytes([2; 32]), 1).unwrap());
    let classed = classify(&by_root, matches.clone());
    assert_eq!(classed.len(), 1);
    assert_eq!(classed[0].name.as_str(), "other.jpg");
    let other_size = Subject::File(FileId::new(Root::from_bytes([2; 32]), 2).unwrap());
    assert!(classify(&other_size, matches).is_empty(), "a root alone is no identity");
}

#[test]
fn results_are_bounded_for_a_peer_and_for_the_search() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    searches.open(id, SEARCHER, &query("holiday"), now).unwrap();
    let mut admit = |peer, matches| searches.admit(id, name(peer), matches, now).unwrap().unwrap();
    let admitted = admit(2, substrings(9));
    assert_eq!(admitted.matches.len(), 4, "a peer has its share");
    assert_eq!((admitted.searcher, admitted.expires), (SEARCHER, now + RULES.lifetime + RULES.grace));
    assert_eq!(admit(3, substrings(9)).matches.len(), 2, "what is left of the search's");
    let exact = || classify(&query("holiday"), (0..9).map(|number| found("holiday.jpg", number)).collect());
    let first = admit(4, exact());
    assert_eq!(
        first.matches.len(),
        2,
        "exact ones have places of their own, and of these too a peer its share"
    );
    assert!(!first.search_is_full, "no peer fills a search alone");
    let last = admit(5, exact());
    assert_eq!(last.matches.len(), 1);
    assert!(last.search_is_full);
    assert_eq!(searches.admit(id, name(6), substrings(1), now).unwrap_err(), SearchOver);
}

#[test]
fn a_name_answers_once() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    searches.open(id, SEARCHER, &query("holiday"), now).unwrap();
    assert!(searches.subject_for(id, name(2), PEER, now).unwrap().is_some());
    assert!(searches.admit(id, name(2), substrings(1), now).unwrap().is_some());
    assert!(searches.subject_for(id, name(2), PEER, now).unwrap().is_none());
    assert!(searches.admit(id, name(2), substrings(1), now).unwrap().is_none());
    assert!(searches.subject_for(id, name(1), SEARCHER, now).is_err(), "nobody answers their own search");
}

#[test]
fn who_answered_is_remembered_no_longer_than_needed() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    searches.open(id, SEARCHER, &query("holiday"), now).unwrap();
    for peer in 2..100 {
        assert!(searches.admit(id, name(peer), vec![], now).unwrap().is_some());
    }
    assert_eq!(
        searches.known[&id].answered.len(),
        0,
        "who has nothing is not noted: there is no limit to them"
    );
    searches.admit(id, name(2), substrings(1), now).unwrap();
    searches.finish(id);
    assert_eq!(searches.known[&id].answered.capacity(), 0);
}

#[test]
fn answers_are_spread_the_more_peers_there_are() {
    for (sessions, milliseconds) in
        [(0, 0), (500, 0), (509, 0), (510, 1), (1_500, 100), (10_500, 1_000), (1_000_000, 1_000)]
    {
        assert_eq!(spread_milliseconds(sessions), milliseconds, "{sessions}");
    }
}

#[test]
fn opening_is_idempotent_and_an_id_has_one_maker() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    assert_eq!(searches.open(id, SEARCHER, &query("holiday"), now), Ok(Some(now + RULES.lifetime)));
    assert_eq!(searches.open(id, SEARCHER, &query("holiday"), now), Ok(None));
    assert_eq!(searches.open(id, SEARCHER, &query("another"), now), Err(SearchError::IdTaken));
    assert_eq!(searches.open(id, PEER, &query("holiday"), now), Err(SearchError::IdTaken));
    searches.open(SearchId::random(), SEARCHER, &query("holiday"), now).unwrap();
    let one_more = searches.open(SearchId::random(), SEARCHER, &query("holiday"), now);
    assert_eq!(one_more, Err(SearchError::Busy));
}

#[test]
fn a_search_ends_once_and_is_forgotten_after_its_grace() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    searches.open(id, SEARCHER, &query("holiday"), now).unwrap();
    assert_eq!(searches.next_due(now), None);
    let deadline = now + RULES.lifetime;
    assert!(
        searches.subject_for(id, name(2), PEER, deadline).is_err(),
        "late by the clock, before any sweep"
    );
    assert_eq!(searches.next_due(deadline), Some(id));
    assert_eq!(searches.finish(id), Some((SEARCHER, deadline + RULES.grace)));
    assert_eq!(searches.next_due(deadline + RULES.grace), None);
    assert!(searches.known.is_empty());
}

#[test]
fn only_its_maker_withdraws_a_search() {
    let now = crate::clock::now();
    let mut searches = Searches::new(RULES);
    let id = SearchId::random();
    searches.open(id, SEARCHER, &query("holiday"), now).unwrap();
    assert_eq!(searches.withdraw(id, PEER), Err(SearchOver));
    assert_eq!(searches.withdraw(SearchId::random(), SEARCHER), Err(SearchOver));
    assert_eq!(searches.withdraw(id, SEARCHER), Ok(true));
    assert_eq!(searches.withdraw(id, SEARCHER), Ok(false), "a repeat is answered alike");
    assert!(searches.subject_for(id, name(2), PEER, now).is_err());
    assert_eq!(searches.next_due(now + RULES.lifetime), None, "it does not end a second time");
}
