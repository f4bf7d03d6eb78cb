//! The index over all shares: an immutable snapshot, replaced as a whole, that answers searches.
//!
//! Names are folded when a file enters the index. A search reads through all of them, laid out in one piece of
//! memory, for the query's longest word, and classes only the names that contain it: over 100,000 files that
//! takes a few milliseconds, whatever the query.

use std::{cmp::Ordering, sync::Arc};

use protocol::{
    FileId, SafeName,
    match_rule::{FoldedName, MatchClass, Query},
    search::{Match, Subject},
};

use super::{hasher::Stamp, path_guard::Location};

/// One path at which a file was found and hashed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) location: Location,
    /// What the file looked like when it was hashed.
    pub(super) stamp: Stamp,
    pub(super) file: FileId,
    /// Under which it is offered.
    pub(super) name: SafeName,
    folded: FoldedName,
}

impl Entry {
    pub(super) fn new(location: Location, stamp: Stamp, file: FileId) -> Self {
        let name = SafeName::sanitise(&location.path.file_name().unwrap_or_default().to_string_lossy());
        let folded = FoldedName::new(name.as_str());
        Self { location, stamp, file, name, folded }
    }

    /// What others can tell entries apart by.
    fn offer(&self) -> (&FileId, &SafeName) {
        (&self.file, &self.name)
    }

    fn to_match(&self) -> Match {
        Match { name: self.name.clone(), size: self.file.size, root: self.file.root, folder: None }
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    /// One for each location, sorted by it.
    entries: Vec<Arc<Entry>>,
    /// Positions in `entries`, sorted by file, then name, then location.
    by_file: Vec<usize>,
    /// Positions of the first entry of each file and name, sorted: what others get to see, each once.
    offered: Vec<usize>,
    /// The folded names of those offered, in their order, each followed by [`NAME_END`].
    names: String,
    /// Where each of them ends in `names`.
    name_ends: Vec<usize>,
}

/// Not found in a folded name or query: folding makes a space of it.
const NAME_END: char = '\n';

impl Index {
    pub(super) fn new(mut entries: Vec<Arc<Entry>>) -> Self {
        entries.sort_by(|a, b| a.location.cmp(&b.location));
        entries.dedup_by(|a, b| a.location == b.location);
        let mut by_file: Vec<_> = (0..entries.len()).collect();
        by_file.sort_by(|&a, &b| entries[a].offer().cmp(&entries[b].offer()));
        let mut offered = by_file.clone();
        offered.dedup_by(|a, b| entries[*a].offer() == entries[*b].offer());
        offered.sort_unstable();
        let mut names = String::new();
        let mut name_ends = Vec::with_capacity(offered.len());
        for &position in &offered {
            names.push_str(entries[position].folded.as_str());
            name_ends.push(names.len());
            names.push(NAME_END);
        }
        Self { entries, by_file, offered, names, name_ends }
    }

    pub(super) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    pub(super) fn at(&self, location: &Location) -> Option<&Arc<Entry>> {
        let position = self.entries.binary_search_by(|entry| entry.location.cmp(location)).ok()?;
        self.entries.get(position)
    }

    /// Whether files are in the folder that was at this location.
    pub(super) fn has_below(&self, location: &Location) -> bool {
        // Joined with nothing, a path ends with its separator, as those of all files in it begin.
        let folder = Location { share: Arc::clone(&location.share), path: location.path.join("") };
        let first = self.entries.partition_point(|entry| entry.location < folder);
        self.entries.get(first).is_some_and(|entry| {
            let path = entry.location.path.as_os_str().as_encoded_bytes();
            entry.location.share == folder.share
                && path.starts_with(folder.path.as_os_str().as_encoded_bytes())
        })
    }

    /// All entries of a file, those of one name side by side.
    pub(super) fn of_file(&self, file: &FileId) -> impl Iterator<Item = &Arc<Entry>> {
        let start =
            self.by_file.partition_point(|&position| self.entries[position].file.cmp(file) == Ordering::Less);
        self.by_file[start..]
            .iter()
            .map(|&position| &self.entries[position])
            .take_while(|entry| entry.file == *file)
    }

    /// What is offered: one for each file and name.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.offered.iter().map(|&position| &self.entries[position])
    }

    pub(super) fn offered_bytes(&self) -> u64 {
        self.offered().map(|entry| entry.file.size).sum()
    }

    /// At most `limit` matches, exact ones first, each class in order of location.
    pub(super) fn search(&self, subject: &Subject, limit: usize) -> Vec<Match> {
        match subject {
            Subject::File(file) => {
                let mut entries: Vec<_> = self.of_file(file).collect();
                entries.dedup_by(|a, b| a.name == b.name);
                entries.into_iter().take(limit).map(|entry| entry.to_match()).collect()
            }
            Subject::Query(query) => self.search_names(query, limit),
        }
    }

    fn search_names(&self, query: &Query, limit: usize) -> Vec<Match> {
        let (mut exact, mut substring) = (Vec::new(), Vec::new());
        let folded = FoldedName::new(query.as_str());
        // Every name that matches contains each word of the query; the longest one is in the fewest.
        let word = folded.as_str().split(' ').max_by_key(|word| word.len()).unwrap_or_default();
        for (name, entry) in self.containing(word) {
            // An answer full of substrings changes only by an exact match, which begins as the query does.
            if substring.len() >= limit && !name.starts_with(folded.as_str()) {
                continue;
            }
            match query.classify(&entry.folded) {
                Some(MatchClass::Exact) => exact.push(entry),
                Some(MatchClass::Substring) if substring.len() < limit => substring.push(entry),
                Some(MatchClass::Substring) | None => {}
            }
            if exact.len() >= limit {
                break;
            }
        }
        exact.into_iter().chain(substring).take(limit).map(|entry| entry.to_match()).collect()
    }

    /// Offered entries whose folded name contains the text, each once, with that name.
    fn containing(&self, text: &str) -> impl Iterator<Item = (&str, &Arc<Entry>)> {
        let mut rest = self.name_ends.iter().zip(&self.offered);
        let (mut name, mut next) = (0..0, 0);
        self.names.match_indices(text).filter_map(move |(at, _)| {
            if at < name.end {
                return None;
            }
            // Names before the one that was found are passed over.
            let entry = loop {
                let (&end, &position) = rest.next()?;
                name = next..end;
                next = end + NAME_END.len_utf8();
                if at < end {
                    break self.entries.get(position)?;
                }
            };
            Some((&self.names[name.clone()], entry))
        })
    }
}

#[cfg(test)]
mod tests {
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
            let index = Index::new(entries.clone());
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
        let index = Index::new(others.chain(exact).collect());
        let subject = Subject::Query(Query::parse("summer rain").unwrap());
        let names: Vec<_> =
            index.search(&subject, 3).into_iter().map(|found| String::from(found.name)).collect();
        assert_eq!(names[..2], ["Summer Rain.flac", "summer_rain"]);
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn a_folder_is_told_from_a_file_whose_name_begins_alike() {
        let index = Index::new(vec![entry(1, "snow", 1), entry(22, "snow", 1)]);
        let below = |share: &str, path: &str| {
            index.has_below(&Location { share: Path::new(share).into(), path: path.into() })
        };
        assert!(below("/share", "1") && below("/share", "22") && below("/share", ""));
        assert!(!below("/share", "2") && !below("/share", "1/sno") && !below("/share", "1/snow"));
        assert!(!below("/other", "1") && !below("/other", ""));
    }

    #[test]
    fn one_location_has_one_entry() {
        let index = Index::new(vec![entry(0, "snow", 1), entry(0, "snow", 1)]);
        assert_eq!(index.entries().len(), 1);
    }
}
