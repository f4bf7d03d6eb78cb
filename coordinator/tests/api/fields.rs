//! The fields of `openapi.yaml` are those of the types that travel, both ways.
//!
//! Each schema is compared with samples of its type in which every field is there. A field that is new in the
//! type doesn't compile here until the sample has it, and then the schema is found to lack it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    CertificateSha256, Code, Event, EventBatch, FolderSummary, IntroductionId, Problem, ReplyKey, Root,
    SearchId, SessionToken,
    introduction::{Accepted, DeclineReason, HeardReply, IntroductionRequest, QueueReason, Reply, Sealed},
    match_rule::MatchClass,
    search::{ClassedMatch, Subject},
    session::{ConnectRequest, ConnectResponse, NameToken, SessionLimits},
};
use serde::Serialize;
use serde_json::Value as Json;
use serde_norway::Value as Yaml;

use crate::{
    contract::{contract, resolve},
    harness,
};

fn json(value: &impl Serialize) -> Json {
    serde_json::to_value(value).unwrap()
}

fn subjects() -> [Subject; 2] {
    let file = harness::file("holiday.jpg", 1);
    [
        Subject::Query(protocol::match_rule::Query::parse("holiday").unwrap()),
        Subject::File(protocol::FileId::new(file.root, file.size).unwrap()),
    ]
}

fn connect_request() -> ConnectRequest {
    ConnectRequest {
        username: "alice".to_owned(),
        token: SessionToken::random(),
        version: 1,
        name_token: Some(NameToken::new("sealed".to_owned())),
        join_key: Some("key".to_owned()),
    }
}

fn connect_response() -> ConnectResponse {
    ConnectResponse {
        name_token: NameToken::new("sealed".to_owned()),
        lease_seconds: 60,
        wait_seconds_max: 55,
        limits: SessionLimits {
            searches_per_second: 1,
            searches_burst: 5,
            introductions_per_second: 2,
            introductions_burst: 10,
            matches_per_answer: 100,
            pending_introductions: 64,
        },
        version: 1,
    }
}

fn replies() -> [Reply; 4] {
    [
        Reply::Queued { position: 1, reason: QueueReason::Busy },
        Reply::Accepted {},
        Reply::DialMe { port: 4822 },
        Reply::declined(DeclineReason::VersionUnsupported),
    ]
}

fn heard_replies() -> [HeardReply; 4] {
    [
        HeardReply::Queued { position: 1, reason: QueueReason::Busy },
        HeardReply::Accepted {},
        HeardReply::DialMe { endpoint: ([192, 0, 2, 1], 4822).into() },
        HeardReply::Declined { reason: DeclineReason::VersionUnsupported, version: Some(1) },
    ]
}

/// The schema of an event; a new one doesn't compile until it has a name here, and a sample below.
fn schema_of(event: &Event) -> &'static str {
    match event {
        Event::Search { .. } => "SearchEvent",
        Event::SearchResults { .. } => "SearchResultsEvent",
        Event::SearchFinished { .. } => "SearchFinishedEvent",
        Event::Introduction { .. } => "IntroductionEvent",
        Event::IntroductionReply { .. } => "IntroductionReplyEvent",
        Event::IntroductionWithdrawn { .. } => "IntroductionWithdrawnEvent",
        Event::EventsLost { .. } => "EventsLostEvent",
        Event::Unknown => unreachable!("never sent"),
    }
}

fn events() -> Vec<Event> {
    let (search, introduction) = (SearchId::random(), IntroductionId::random());
    let found = Event::SearchResults {
        id: search,
        username: "bobby".parse().unwrap(),
        reply_key: ReplyKey::from_bytes([1; 32]),
        certificate_sha256: CertificateSha256::from_bytes([2; 32]),
        matches: vec![ClassedMatch {
            name: harness::file("holiday.jpg", 1).name,
            size: 1,
            root: Root::from_bytes([3; 32]),
            folder: Some(FolderSummary { files: 1, bytes: 1 }),
            class: MatchClass::Exact,
        }],
    };
    let asked = Event::Introduction {
        id: introduction,
        from: "alice".parse().unwrap(),
        endpoint: ([192, 0, 2, 1], 4821).into(),
        sealed: Sealed::new(vec![1]),
    };
    let search_event = |subject| Event::Search { id: search, subject, spread_milliseconds: 0 };
    let reply_event = |reply| Event::IntroductionReply { id: introduction, reply };
    let mut events = vec![
        found,
        asked,
        Event::SearchFinished { id: search },
        Event::IntroductionWithdrawn { id: introduction },
        Event::EventsLost { count: 1 },
    ];
    events.extend(subjects().map(search_event));
    events.extend(heard_replies().map(reply_event));
    events
}

fn introduction_request() -> IntroductionRequest {
    IntroductionRequest { to: "bobby".parse().unwrap(), port: 4821, sealed: Sealed::new(vec![1]) }
}

/// Every schema that is a type of ours, with samples of it.
fn samples() -> BTreeMap<&'static str, Vec<Json>> {
    let batch = EventBatch { cursor: "1.1".to_owned(), events: Vec::new() };
    let answer = harness::answer(vec![harness::file("holiday.jpg", 1), harness::folder("Holidays", 1)]);
    let mut samples = BTreeMap::from([
        ("ConnectRequest", vec![json(&connect_request())]),
        ("ConnectResponse", vec![json(&connect_response())]),
        ("Accepted", vec![json(&Accepted { deadline_seconds: 10 })]),
        ("SearchRequest", subjects().iter().map(json).collect()),
        ("Match", vec![json(&harness::file("holiday.jpg", 1)), json(&harness::folder("Holidays", 1))]),
        ("FolderSummary", vec![json(&FolderSummary { files: 1, bytes: 1 })]),
        ("AnswerRequest", vec![json(&answer)]),
        ("IntroductionRequest", vec![json(&introduction_request())]),
        ("Reply", replies().iter().map(json).collect()),
        ("EventBatch", vec![json(&batch)]),
        (
            "Problem",
            vec![json(&Problem { version: Some(1), ..Problem::new(Code::Draining).with_detail("a detail") })],
        ),
    ]);
    for event in events() {
        samples.entry(schema_of(&event)).or_default().push(json(&event));
    }
    samples
}

fn keys(object: &Json) -> BTreeSet<&str> {
    object.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn properties(schema: &Yaml) -> BTreeSet<&str> {
    let properties = schema.get("properties").and_then(Yaml::as_mapping);
    properties.into_iter().flatten().map(|(key, _)| key.as_str().unwrap()).collect()
}

/// Compares the fields of a schema with those of samples, and so on inwards.
fn compare(contract: &Yaml, at: &str, schema: &Yaml, samples: &[&Json]) {
    let schema = resolve(contract, schema);
    if let Some(variants) = schema.get("oneOf").and_then(Yaml::as_sequence) {
        let described: BTreeSet<_> = variants.iter().map(properties).collect();
        let travelling: BTreeSet<_> = samples.iter().map(|sample| keys(sample)).collect();
        return assert_eq!(described, travelling, "the variants of {at}");
    }
    let described = properties(schema);
    if !described.is_empty() {
        let travelling: BTreeSet<&str> = samples.iter().flat_map(|sample| keys(sample)).collect();
        assert_eq!(described, travelling, "the fields of {at}");
        let required = schema.get("required").and_then(Yaml::as_sequence).into_iter().flatten();
        for field in required.map(|field| field.as_str().unwrap()) {
            assert!(
                samples.iter().all(|sample| sample.get(field).is_some()),
                "{at}.{field} is not always there"
            );
        }
    }
    for field in described {
        let inner: Vec<&Json> = samples.iter().filter_map(|sample| sample.get(field)).collect();
        compare(contract, &format!("{at}.{field}"), &schema["properties"][field], &inner);
    }
    if let Some(items) = schema.get("items") {
        let inner: Vec<&Json> = samples.iter().filter_map(|sample| sample.as_array()).flatten().collect();
        if !inner.is_empty() {
            compare(contract, &format!("{at}[]"), items, &inner);
        }
    }
}

#[test]
fn the_fields_of_the_contract_are_those_of_the_types() {
    let contract = contract();
    for (name, samples) in samples() {
        let schema = &contract["components"]["schemas"][name];
        compare(&contract, name, schema, &samples.iter().collect::<Vec<_>>());
    }
}

#[test]
fn every_schema_with_fields_is_compared() {
    let contract = contract();
    let compared = samples();
    let has_fields = |schema: &Yaml| schema.get("properties").is_some() || schema.get("oneOf").is_some();
    let schemas = contract["components"]["schemas"].as_mapping().unwrap();
    for (name, _) in schemas.iter().filter(|(_, schema)| has_fields(schema)) {
        assert!(compared.contains_key(name.as_str().unwrap()), "{name:?} is compared with no type");
    }
}
