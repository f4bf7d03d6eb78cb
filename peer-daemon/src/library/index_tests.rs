//! The index against a plain list.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use proptest::{prelude::*, sample::select};
use protocol::{
    FileId, Root,
    match_rule::{FoldedName, MatchClass, Query},
    search::{Match, Subject},
};

use super::{Entry, Index};
use crate::library::{hasher::Stamp, path_guard::Location};

fn entry(folder: u8, name: &str, content: u8) -> Arc<Entry> {
    let path = Path::new(&folder.to_string()).join(name);
    let stamp = Stamp { device: 1, inode: 1, size: 1, mtime_ns: 0, ctime_ns: 0 };
    let file = FileId::new(Root::from_bytes([content; 32]), u64::from(content % 2)).unwrap();
    Arc::new(Entry::new(Location { share: Path::new("/share").into(), path }, stamp, file))
}

fn over(entries: Vec<Arc<Entry>>) -> Index {
    Index::new(entries, &[], Vec::new(), &Index::default())
}

fn names() -> impl Strategy<Value = &'static str> {
    select(vec![
        "summer rain.flac",
        "Summer_Rain.mp3",
        "rain of summer",
        "autumn.txt",
        "café summer",
        "snow",
        "SNOW.txt",
        "!!!",
    ])
}

fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![
        select(vec![
            "summer",
            "summer rain",
            "snow",
            "rain summer",
            "cafe",
            "nothing",
            "txt",
            "summer rain flac"
        ])
        .prop_map(|text| Subject::Query(Query::parse(text).unwrap())),
        (0..6_u8).prop_map(|content| Subject::File(entry(0, "x", content).file)),
    ]
}

/// Each offer that the subject finds, with its class.
fn model(entries: &[Arc<Entry>], subject: &Subject) -> BTreeSet<(MatchClass, String, FileId)> {
    let class = |entry: &Entry| subject.classify(&FoldedName::new(entry.name.as_str()), &entry.file);
    entries
        .iter()
        .filter_map(|entry| Some((class(entry)?, entry.name.as_str().to_owned(), entry.file)))
        .collect()
}

fn classed(found: &[Match], subject: &Subject) -> Vec<(MatchClass, String, FileId)> {
    let classed = |found: &Match| {
        let file = FileId::new(found.root, found.size).unwrap();
        let class = subject.classify(&FoldedName::new(found.name.as_str()), &file).unwrap();
        (class, found.name.as_str().to_owned(), file)
    };
    found.iter().map(classed).collect()
}

proptest! {
    #[test]
    fn the_index_answers_as_a_plain_list_would(
        files in prop::collection::vec((0..4_u8, names(), 0..6_u8), 0..40),
        subject in subjects(),
        limit in prop_oneof![0..4_usize, Just(100)],
    ) {
        let mut at = BTreeSet::new();
        let entries: Vec<_> = files
            .iter()
            .filter(|(folder, name, _)| at.insert((folder, name)))
            .map(|&(folder, name, content)| entry(folder, name, content))
            .collect();
        let index = over(entries.clone());
        let model = model(&entries, &subject);
        let found = classed(&index.search(&subject, limit), &subject);

        prop_assert_eq!(found.len(), model.len().min(limit));
        prop_assert!(found.is_sorted_by_key(|(class, ..)| *class), "exact ones first");
        prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "each once");
        prop_assert!(found.iter().all(|offer| model.contains(offer)));
        let exact = |(class, ..): &&(MatchClass, String, FileId)| *class == MatchClass::Exact;
        prop_assert_eq!(found.iter().filter(exact).count(), model.iter().filter(exact).count().min(limit));

        for wanted in &entries {
            prop_assert_eq!(index.at(&wanted.location).map(|entry| entry.file), Some(wanted.file));
            let paths = index.of_file(&wanted.file).count();
            prop_assert_eq!(paths, entries.iter().filter(|entry| entry.file == wanted.file).count());
        }
        let offers: BTreeSet<_> = entries.iter().map(|entry| entry.offer()).collect();
        prop_assert_eq!(index.offered().count(), offers.len());
    }
}

#[test]
fn an_exact_match_comes_first_even_behind_more_substrings_than_fit() {
    let others = (0..50).map(|content| entry(0, &format!("a summer rain {content}.txt"), content));
    let exact = [entry(1, "Summer Rain.flac", 60), entry(2, "summer_rain", 61)];
    let index = over(others.chain(exact).collect());
    let subject = Subject::Query(Query::parse("summer rain").unwrap());
    let names: Vec<_> = index.search(&subject, 3).into_iter().map(|found| String::from(found.name)).collect();
    assert_eq!(names[..2], ["Summer Rain.flac", "summer_rain"]);
    assert_eq!(names.len(), 3);
}

#[test]
fn a_folder_is_told_from_a_file_whose_name_begins_alike() {
    let index = over(vec![entry(1, "snow", 1), entry(22, "snow", 1)]);
    let below = |share: &str, path: &str| {
        index.has_below(&Location { share: Path::new(share).into(), path: path.into() })
    };
    assert!(below("/share", "1") && below("/share", "22") && below("/share", ""));
    assert!(!below("/share", "2") && !below("/share", "1/sno") && !below("/share", "1/snow"));
    assert!(!below("/other", "1") && !below("/other", ""));
}

#[test]
fn one_location_has_one_entry() {
    let index = over(vec![entry(0, "snow", 1), entry(0, "snow", 1)]);
    assert_eq!(index.entries().len(), 1);
}
