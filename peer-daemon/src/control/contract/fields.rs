//! The fields of the contract's schemas are those of the types that travel. A field that is new in a type doesn't
//! compile here until its sample has it, and then the schema is found to lack it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    Code, Conflict, FolderSummary, Problem, Root, SafeName, Username,
    control::{
        Block, BlockRequest, Blocks, Cause, Changes, Configuration, ConnectionRequest, Download,
        DownloadState, Downloads, FileLink, FolderProgress, GuiLogin, IncomingRequest, IncomingRequests,
        NewDownloads, NewSearch, NewShare, NewValue, NextValue, Origin, PathRequest, PreviewedFile,
        RequestedFile, Route, SCHEMA, Search, SearchResult, Setting, Share, SharePreview, Shares, Status,
        Upcoming, Upload, UploadState, Uploads, Why, WhyStep,
        doctor::{Check, Examination, Verdict},
    },
    match_rule::MatchClass,
};
use serde_json::Value as Json;
use serde_norway::Value as Yaml;

use super::{contract, resolve};

fn name() -> SafeName {
    SafeName::sanitise("song.ogg")
}

fn username() -> Username {
    Username::parse("nightingale").unwrap()
}

fn root() -> Root {
    Root::from_bytes([1; 32])
}

fn summary() -> FolderSummary {
    FolderSummary { files: 2, bytes: 3 }
}

fn download() -> Download {
    Download {
        id: "1".to_owned(),
        name: name(),
        size: 2,
        received: 1,
        state: DownloadState::Failed,
        username: username(),
        root: root(),
        path: "/music/song.ogg".to_owned(),
        bytes_per_second: 1,
        eta_seconds: Some(1),
        position: Some(1),
        reason: Some("because".to_owned()),
        cause: Some(Cause::Other),
        route: Some(Route::DialBack),
        folder: Some(FolderProgress { files: 2, finished: 1 }),
    }
}

fn upload() -> Upload {
    Upload {
        id: "1".to_owned(),
        name: name(),
        size: 2,
        sent: 1,
        state: UploadState::Queued,
        username: username(),
        bytes_per_second: 1,
        position: Some(1),
        reason: Some("because".to_owned()),
        route: Some(Route::DialMe),
        folder: Some(summary()),
    }
}

fn status() -> Status {
    Status {
        schema: SCHEMA,
        version: "0.1.0".to_owned(),
        protocol_version: 1,
        username: Some(username()),
        connected: true,
        connection_problem: Some("because".to_owned()),
        coordinator: Some("https://hearsay.example".to_owned()),
        download_port: 4821,
        upload_port: 4822,
        gui: Some(([127, 0, 0, 1], 4823).into()),
        shared_files: 1,
        shared_bytes: 2,
        scanning: true,
        download: Some(download()),
        upload: Some(upload()),
        refused_dial_backs: 0,
        download_rate_max: Some(1),
        upload_rate_max: Some(1),
        uploads_off: false,
        profile: Some("work".to_owned()),
    }
}

fn request() -> IncomingRequest {
    let file = RequestedFile { name: name(), size: 2, root: root(), folder: Some(summary()) };
    IncomingRequest { id: "1".to_owned(), username: username(), files: vec![file] }
}

fn share() -> Share {
    let path = "/music".to_owned();
    Share {
        path,
        origin: Origin::RunTime,
        files: 1,
        bytes: 2,
        problem: Some("because".to_owned()),
        folders: true,
        whole_folders: 0,
        too_large_folders: 0,
    }
}

fn search() -> Search {
    let result = SearchResult {
        number: 1,
        username: username(),
        name: name(),
        size: 2,
        root: root(),
        folder: Some(summary()),
        class: MatchClass::Exact,
    };
    let (search, query) = ("1".to_owned(), "song".to_owned());
    Search { schema: SCHEMA, search, query, finished: true, results: vec![result] }
}

fn why() -> Why {
    let step = WhyStep {
        at: "2026-11-22T12:00:00Z".parse().unwrap(),
        state: DownloadState::Queued,
        step: "asked".to_owned(),
        sentence: "you asked for it".to_owned(),
        username: Some(username()),
        lasted_milliseconds: Some(1),
    };
    let next = Upcoming { what: "the source is asked".to_owned(), at: Some(step.at) };
    Why { schema: SCHEMA, download: download(), steps: vec![step], next: Some(next) }
}

fn preview() -> SharePreview {
    SharePreview {
        schema: SCHEMA,
        path: "/music".to_owned(),
        files: 1,
        bytes: 2,
        first: vec![PreviewedFile { name: name(), size: 2 }],
        ..SharePreview::default()
    }
}

fn configuration() -> Configuration {
    let value = Some("ask".to_owned());
    let setting = Setting {
        name: "policy".to_owned(),
        value: value.clone(),
        origin: Origin::File,
        settable: true,
        at_once: true,
        at_next_start: Some(NextValue { value, origin: Origin::RunTime }),
    };
    Configuration { schema: SCHEMA, file: Some("/etc/peer.toml".to_owned()), settings: vec![setting] }
}

/// Each document by its schema; those inside of another one are compared with it.
fn samples() -> BTreeMap<&'static str, Json> {
    let text = || "text".to_owned();
    let changes = Changes {
        schema: SCHEMA,
        status: Some(status()),
        downloads: Some(vec![download()]),
        uploads: Some(vec![upload()]),
        requests: Some(vec![request()]),
        shares: Some(vec![share()]),
    };
    let link = FileLink {
        schema: SCHEMA,
        link: text(),
        name: name(),
        size: 2,
        root: root(),
        folder: Some(summary()),
    };
    let check = Check::other(Verdict::Bad, "clock", "it is wrong", "set it");
    let blocks = Blocks { schema: SCHEMA, blocks: vec![Block { username: username() }] };
    BTreeMap::from([
        ("Problem", serde_json::to_value(Problem::new(Code::GuiOff).with_detail("a detail"))),
        ("Status", serde_json::to_value(status())),
        ("Changes", serde_json::to_value(changes)),
        ("ConnectionRequest", serde_json::to_value(ConnectionRequest { username: text() })),
        ("NewSearch", serde_json::to_value(NewSearch { query: text() })),
        ("Search", serde_json::to_value(search())),
        (
            "NewDownloads",
            serde_json::to_value(NewDownloads { targets: vec![text()], conflict: Some(Conflict::Rename) }),
        ),
        ("Downloads", serde_json::to_value(Downloads { schema: SCHEMA, downloads: vec![download()] })),
        ("Why", serde_json::to_value(why())),
        ("Uploads", serde_json::to_value(Uploads { schema: SCHEMA, uploads: vec![upload()] })),
        (
            "IncomingRequests",
            serde_json::to_value(IncomingRequests { schema: SCHEMA, requests: vec![request()] }),
        ),
        ("Blocks", serde_json::to_value(blocks)),
        ("Examination", serde_json::to_value(Examination { schema: SCHEMA, checks: vec![check] })),
        ("BlockRequest", serde_json::to_value(BlockRequest { username: text() })),
        ("NewShare", serde_json::to_value(NewShare { path: text(), folders: Some(true) })),
        ("PathRequest", serde_json::to_value(PathRequest { path: text() })),
        ("Shares", serde_json::to_value(Shares { schema: SCHEMA, shares: vec![share()], scanning: true })),
        ("SharePreview", serde_json::to_value(preview())),
        ("FileLink", serde_json::to_value(link)),
        ("Configuration", serde_json::to_value(configuration())),
        ("NewValue", serde_json::to_value(NewValue { value: text() })),
        ("GuiLogin", serde_json::to_value(GuiLogin { schema: SCHEMA, url: text() })),
    ])
    .into_iter()
    .map(|(schema, sample)| (schema, sample.unwrap()))
    .collect()
}

/// Compares the fields of a schema with those of a sample, and so on inwards; notes what was compared.
fn compare<'a>(
    contract: &'a Yaml,
    at: &str,
    schema: &'a Yaml,
    sample: &Json,
    compared: &mut BTreeSet<&'a str>,
) {
    // What may be null is described by its other form.
    let schema = schema.get("oneOf").map_or(schema, |forms| &forms[0]);
    if let Some(reference) = schema.get("$ref").and_then(Yaml::as_str) {
        compared.extend(reference.rsplit('/').next());
    }
    let schema = resolve(contract, schema);
    if let Some(properties) = schema.get("properties").and_then(Yaml::as_mapping) {
        let described: BTreeSet<&str> = properties.keys().map(|key| key.as_str().unwrap()).collect();
        let travelling: BTreeSet<&str> = sample.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, travelling, "the fields of {at}");
        for (field, schema) in properties {
            let field = field.as_str().unwrap();
            compare(contract, &format!("{at}.{field}"), schema, &sample[field], compared);
        }
    } else if let Some(items) = schema.get("items") {
        compare(contract, &format!("{at}[]"), items, &sample[0], compared);
    } else if let Some(values) = schema.get("enum").and_then(Yaml::as_sequence) {
        let is_described = values.iter().any(|value| value.as_str() == sample.as_str());
        assert!(is_described, "{at} can be {sample}");
    }
}

#[test]
fn the_fields_of_the_contract_are_those_of_the_types() {
    let contract = contract();
    let schemas = &contract["components"]["schemas"];
    let mut compared = BTreeSet::new();
    for (name, sample) in samples() {
        compared.insert(name);
        compare(&contract, name, &schemas[name], &sample, &mut compared);
    }
    let described = schemas.as_mapping().unwrap().iter();
    let with_fields = described.filter(|(_, schema)| schema.get("properties").is_some());
    for (name, _) in with_fields {
        assert!(compared.contains(name.as_str().unwrap()), "{name:?} is compared with no type");
    }
}
