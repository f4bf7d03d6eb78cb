//! Searches: offered to the others, answered, matched, ended.

use std::time::Duration;

use protocol::{
    Code, Event, FolderSummary, SearchId,
    limits::{FOLDER_BYTES_MAX, FOLDER_FILES_MAX, LISTING_BYTES_MAX},
    match_rule::MatchClass,
    search::ClassedMatch,
};
use serde_json::json;

use crate::harness::{TestApp, TestPeer, file, folder, refused};

async fn results(searcher: &mut TestPeer<'_>) -> (String, Vec<ClassedMatch>) {
    match searcher.event().await {
        Event::SearchResults { username, matches, .. } => (username.as_str().to_owned(), matches),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answers_come_checked_and_classed_with_who_has_them() {
    let app = TestApp::start();
    let mut alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    assert!(matches!(bobby.event().await, Event::Search { id: heard, .. } if heard == id));
    let offered = vec![file("my holiday.jpg", 1), file("unrelated.jpg", 2), file("holiday.jpg", 3)];
    assert_eq!(bobby.answer(id, offered.clone()).await.status(), 204);
    let (username, matches) = results(&mut alice).await;
    assert_eq!(username, "bobby");
    let classes: Vec<_> = matches.iter().map(|found| (found.name.as_str(), found.class)).collect();
    assert_eq!(classes, [("holiday.jpg", MatchClass::Exact), ("my holiday.jpg", MatchClass::Substring)]);

    assert_eq!(bobby.answer(id, offered).await.status(), 204, "a repeat is answered alike");
    alice.hears_nothing().await;
    refused(alice.answer(id, vec![]).await, Code::SearchOver).await;
    app.stop().await;
}

#[tokio::test]
async fn a_search_by_root_finds_exact_pairs_only() {
    let app = TestApp::start();
    let mut alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = SearchId::random();
    let body = json!({ "root": file("x", 5).root, "size": 1000 });
    assert_eq!(alice.put_search(&id.to_string(), &body).await.status(), 202);
    let mut other_size = file("other size", 5);
    other_size.size = 999;
    let offered = vec![file("any name", 5), file("other root", 6), other_size];
    assert_eq!(bobby.answer(id, offered).await.status(), 204);
    let (_, matches) = results(&mut alice).await;
    assert_eq!(matches.len(), 1);
    assert_eq!(matches[0].name.as_str(), "any name");
    app.stop().await;
}

#[tokio::test]
async fn a_folder_is_found_by_name_and_by_root_and_told_as_one() {
    let app = TestApp::start();
    let mut alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let mut beyond = folder("holidays beyond all limits", 2);
    beyond.size = LISTING_BYTES_MAX + 1;
    let offered = vec![folder("holidays", 1), file("holidays", 1), beyond];

    let by_name = alice.search("holidays").await;
    assert_eq!(bobby.answer(by_name, offered.clone()).await.status(), 204);
    let (_, matches) = results(&mut alice).await;
    let found: Vec<_> = matches.iter().map(|found| (found.root, found.folder)).collect();
    let (root, summary) = (offered[0].root, offered[0].folder);
    assert_eq!(
        found,
        [(root, summary), (root, None)],
        "a folder and a file are two, and no listing is so long"
    );

    let by_root = SearchId::random();
    let body = json!({ "root": root, "size": 1000 });
    assert_eq!(alice.put_search(&by_root.to_string(), &body).await.status(), 202);
    assert_eq!(bobby.answer(by_root, offered[..1].to_vec()).await.status(), 204);
    loop {
        match alice.event().await {
            Event::SearchResults { id, matches, .. } if id == by_root => {
                break assert_eq!(matches[0].folder, summary);
            }
            Event::SearchResults { .. } | Event::SearchFinished { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_folder_of_nothing_is_no_folder() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("holidays").await;
    for (files, bytes) in [(0, 0), (FOLDER_FILES_MAX as u64 + 1, 1), (1, FOLDER_BYTES_MAX + 1)] {
        let mut found = folder("holidays", 1);
        found.folder = Some(FolderSummary { files, bytes });
        refused(bobby.answer(id, vec![found]).await, Code::RequestInvalid).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn a_search_is_opened_once() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    let mut bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    let same = alice.put_search(&id.to_string(), &json!({ "query": "holiday" })).await;
    assert_eq!(same.status(), 202);
    let other = alice.put_search(&id.to_string(), &json!({ "query": "another" })).await;
    refused(other, Code::IdTaken).await;
    let foreign = bobby.put_search(&id.to_string(), &json!({ "query": "holiday" })).await;
    refused(foreign, Code::IdTaken).await;
    assert!(matches!(bobby.event().await, Event::Search { .. }), "one event for two calls");
    bobby.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn a_search_ends_at_its_deadline() {
    let app = TestApp::start_with(|config| config.lifetimes.search = Duration::from_millis(500));
    let mut alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    assert_eq!(alice.event().await, Event::SearchFinished { id });
    refused(bobby.answer(id, vec![file("holiday.jpg", 1)]).await, Code::SearchOver).await;
    app.stop().await;
}

#[tokio::test]
async fn results_that_nobody_fetches_do_not_outlive_their_search() {
    let app = TestApp::start_with(|config| {
        config.lifetimes.search = Duration::from_millis(300);
        config.lifetimes.search_grace = Duration::from_millis(100);
    });
    let alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    crate::harness::eventually(|| async {
        let id = alice.search("holiday").await;
        // On a busy machine its time may be over by then.
        bobby.answer(id, vec![file("holiday.jpg", 1)]).await.status() == 204
    })
    .await;
    crate::harness::eventually(|| async { alice.poll_with(None, 0).await.status() == 204 }).await;
    bobby.hears_nothing().await;
    app.stop().await;
}

#[tokio::test]
async fn only_its_maker_withdraws_a_search() {
    let app = TestApp::start();
    let mut alice = app.connect("alice").await;
    let bobby = app.connect("bobby").await;
    let id = alice.search("holiday").await;
    refused(bobby.delete_search(id).await, Code::SearchOver).await;
    assert_eq!(alice.delete_search(id).await.status(), 204);
    assert_eq!(alice.delete_search(id).await.status(), 204);
    assert_eq!(alice.event().await, Event::SearchFinished { id });
    refused(bobby.answer(id, vec![]).await, Code::SearchOver).await;
    app.stop().await;
}

#[tokio::test]
async fn searches_are_limited() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    for _ in 0..5 {
        alice.search("holiday").await;
    }
    let response = alice.put_search(&SearchId::random().to_string(), &json!({ "query": "holiday" })).await;
    assert!(response.headers().contains_key("retry-after"));
    refused(response, Code::RateLimited).await;
    app.stop().await;
}

#[tokio::test]
async fn a_query_must_be_worth_asking_everyone() {
    let app = TestApp::start();
    let alice = app.connect("alice").await;
    for query in ["", "a", "..", " - ", &"word ".repeat(30)] {
        let response = alice.put_search(&SearchId::random().to_string(), &json!({ "query": query })).await;
        refused(response, Code::QueryInvalid).await;
    }
    app.stop().await;
}
