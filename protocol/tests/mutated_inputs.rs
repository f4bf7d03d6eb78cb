//! What comes from other peers, and was almost right: read without a panic, and what is taken is sound.
// What is mutated is made here, and valid.
#![allow(clippy::unwrap_used)]

use std::str::FromStr as _;

use proptest::{collection::vec, prelude::*, sample::Index};
use protocol::{
    CertificateSha256, FileId, IntroductionId, MessageKey, ReplyKey, Root, SafeName, SearchId, Username,
    byte_range::{ByteRange, RangeRequest, parse_range},
    event::EventBatch,
    folder::{ListedFile, Listing, RelativePath},
    introduction::Invitation,
    limits::{FILE_SIZE_MAX, FOLDER_BYTES_MAX, FOLDER_DEPTH_MAX, NAME_BYTES_MAX},
    link::Link,
    search::{Match, Subject},
};

/// What is done to a valid input: bytes set, cut out, repeated, or one's own put in.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, &'static str),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let words = [
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "{",
        "[",
        "]}",
        ",",
        ":null",
        "..",
        "/",
        "//",
        "\u{202e}",
        "\u{1b}[2J",
        "%00",
        "%2e%2e%2f",
        "&",
        "=",
        "-",
        "+",
        "0x",
        "-1",
        "1e9",
        "18446744073709551616",
        "9007199254740992",
        "\"files\":[],",
        "\"version\":2,",
        "e\u{301}",
        "\u{feff}",
    ];
    let edit = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Remove(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        (any::<Index>(), proptest::sample::select(words.to_vec()))
            .prop_map(|(at, word)| Edit::Insert(at, word)),
    ];
    vec(edit, 0..5)
}

fn mutated(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        if bytes.is_empty() {
            break;
        }
        let span = |a: &Index, b: &Index, length| {
            let (a, b) = (a.index(length), b.index(length));
            a.min(b)..a.max(b)
        };
        match edit {
            Edit::Set(at, byte) => *at.get_mut(&mut bytes) = *byte,
            Edit::Remove(from, to) => drop(bytes.drain(span(from, to, bytes.len()))),
            Edit::Repeat(from, to) => {
                let part = span(from, to, bytes.len());
                let again = bytes[part.clone()].to_vec();
                bytes.splice(part.end..part.end, again);
            }
            Edit::Insert(at, word) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes
}

fn listing() -> Listing {
    let file = |(path, size)| ListedFile {
        path: RelativePath::parse(path).unwrap(),
        size,
        root: Root::from_bytes([7; 32]),
    };
    Listing::new([("a", 1), ("sub/b", 2), ("sub/deep/c.txt", FILE_SIZE_MAX - 9)].map(file).to_vec()).unwrap()
}

fn invitation() -> Invitation {
    Invitation {
        message_key: MessageKey::from_bytes([1; 32]),
        files: (0..3).map(|size| FileId::new(Root::from_bytes([2; 32]), size).unwrap()).collect(),
        certificate_sha256: CertificateSha256::from_bytes([3; 32]),
        version: protocol::VERSION,
    }
}

fn events() -> String {
    format!(
        r#"{{"cursor":"c","events":[
        {{"type":"search","id":"{}","query":"some words","spread_milliseconds":0}},
        {{"type":"search","id":"{0}","root":"{}","size":5,"spread_milliseconds":7}},
        {{"type":"search_results","id":"{0}","username":"alice","reply_key":"{}","certificate_sha256":"{}",
          "matches":[{{"name":"a.txt","size":1,"root":"{1}","match":"exact"}}]}},
        {{"type":"introduction","id":"{0}","from":"bobby","endpoint":"[::1]:4821","sealed":"AAAA"}},
        {{"type":"introduction_reply","id":"{0}","state":"queued","position":1,"reason":"busy"}},
        {{"type":"of_next_year"}},{{"type":"events_lost","count":3}}]}}"#,
        SearchId::from_bytes([4; 16]),
        Root::from_bytes([5; 32]),
        ReplyKey::from_bytes([6; 32]),
        CertificateSha256::from_bytes([7; 32]),
    )
}

fn is_sound(name: &SafeName) -> bool {
    let text = name.as_str();
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && !text.starts_with('.')
        && !text.contains(|c: char| c.is_control() || c == '/' || c == '\\')
        && SafeName::parse(text).as_ref() == Ok(name)
}

proptest! {
    #[test]
    fn a_listing_that_is_taken_stays_within_its_folder_and_its_limits(edits in edits()) {
        if let Ok(read) = Listing::from_bytes(&mutated(listing().to_bytes(), &edits)) {
            for file in read.files() {
                let folders = file.path.folders();
                prop_assert!(folders.len() < FOLDER_DEPTH_MAX && file.size <= FILE_SIZE_MAX);
                prop_assert!(folders.iter().chain([file.path.name()]).all(is_sound));
            }
            prop_assert!(read.summary().bytes <= FOLDER_BYTES_MAX);
            prop_assert_eq!(Listing::from_bytes(&read.to_bytes()), Ok(read));
        }
    }

    #[test]
    fn an_invitation_that_is_taken_is_one(edits in edits()) {
        if let Ok(read) = Invitation::from_padded_text(&mutated(invitation().to_padded_text().to_vec(), &edits)) {
            prop_assert!((1..=1_000).contains(&read.files.len()));
            prop_assert!(read.files.iter().all(|file| file.size <= FILE_SIZE_MAX));
            prop_assert_eq!(Invitation::from_padded_text(&read.to_padded_text()), Ok(read));
        }
    }

    #[test]
    fn a_link_that_is_taken_proposes_a_safe_name(edits in edits()) {
        let file = FileId::new(Root::from_bytes([8; 32]), 12_345).unwrap();
        let link = Link { file, name: SafeName::sanitise("Ä song, 100%.flac"), is_folder: true }.to_string();
        let text = String::from_utf8_lossy(&mutated(link.into_bytes(), &edits)).into_owned();
        if let Ok(read) = Link::from_str(&text) {
            prop_assert!(is_sound(&read.name) && read.file.size <= FILE_SIZE_MAX);
            prop_assert_eq!(Link::from_str(&read.to_string()), Ok(read));
        }
    }

    #[test]
    fn no_range_is_beyond_its_file(first in 0..2_000_u64, length in 1..2_000_u64, size: u64, edits in edits()) {
        let part = ByteRange::from_exclusive(first..first + length).unwrap();
        let text = |text: String| String::from_utf8_lossy(&mutated(text.into_bytes(), &edits)).into_owned();
        for size in [size, size % 4_096] {
            if let RangeRequest::Part(read) = parse_range(Some(&text(part.to_range_header())), size) {
                let range = read.exclusive();
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
        if let Some((read, size)) = ByteRange::parse_content_range(&text(part.to_content_range(first + length))) {
            let range = read.exclusive();
            prop_assert!(range.start < range.end && range.end <= size);
        }
    }

    #[test]
    fn events_are_read_or_not_and_hold_what_their_types_promise(edits in edits()) {
        let text = mutated(events().into_bytes(), &edits);
        // The daemon reads them one by one: one that can't be read is passed over.
        let Ok(batch) = serde_json::from_slice::<serde_json::Value>(&text) else { return Ok(()) };
        let Some(events) = batch["events"].as_array() else { return Ok(()) };
        for event in events {
            if let Ok(protocol::Event::SearchResults { username, matches, .. }) =
                serde_json::from_value(event.clone())
            {
                prop_assert_eq!(Username::parse(username.as_str()), Ok(username.clone()));
                prop_assert!(matches.iter().all(|found| is_sound(&found.name)));
            }
        }
        let _whole = serde_json::from_slice::<EventBatch>(&text);
        let _subject = serde_json::from_slice::<Subject>(&text);
        let _match = serde_json::from_slice::<Match>(&text);
    }
}

#[test]
fn what_is_mutated_is_valid_before() {
    let id = IntroductionId::random();
    assert!(!protocol::introduction::seal_info(id, &name("alice"), &name("bobby")).is_empty());
    assert!(Listing::from_bytes(&listing().to_bytes()).is_ok());
    assert!(Invitation::from_padded_text(&invitation().to_padded_text()).is_ok());
    let batch: EventBatch = serde_json::from_str(&events()).unwrap();
    assert_eq!(batch.events.len(), 7);
    assert!(batch.events[..5].iter().all(|event| *event != protocol::Event::Unknown));
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}
