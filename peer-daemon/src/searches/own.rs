//! The book of this peer's own searches: what was asked, what came, under which number. Pure: told the time.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use protocol::{
    CertificateSha256, FileId, ReplyKey, SearchId, Username,
    control::{SCHEMA, Search, SearchResult},
    limits::LISTING_BYTES_MAX,
    match_rule::MatchClass,
    search::ClassedMatch,
};

use super::{Source, TargetError};

/// Searches that are kept for `get` and for looking back; the oldest is forgotten for a new one.
pub(super) const SEARCHES_MAX: usize = 50;
/// Results of one search: what a coordinator passes on (400 substring and 100 exact matches).
pub(super) const RESULTS_MAX: usize = 500;

/// What one search found.
struct Hunt {
    /// When it counts as finished even if nobody says so: the event may have been lost, or the link is down.
    deadline: Instant,
    was_told_finished: bool,
    /// In order of arrival, which numbers them.
    found: Vec<(Source, MatchClass)>,
    /// Places in `found`.
    seen: HashMap<(Username, String, FileId), usize>,
}

impl Hunt {
    fn new(deadline: Instant) -> Self {
        Self { deadline, was_told_finished: false, found: Vec::new(), seen: HashMap::new() }
    }

    fn is_finished(&self, now: Instant) -> bool {
        self.was_told_finished || now >= self.deadline
    }

    fn add(&mut self, source: Source, class: MatchClass) {
        let key = (source.username.clone(), source.name.as_str().to_owned(), source.file);
        match self.seen.get(&key) {
            // Found again, maybe by other keys: those of before may have been given up.
            Some(&place) => self.found[place].0 = source,
            None if self.found.len() < RESULTS_MAX => {
                self.seen.insert(key, self.found.len());
                self.found.push((source, class));
            }
            None => {}
        }
    }
}

struct Numbered {
    number: u64,
    id: SearchId,
    query: String,
    hunt: Hunt,
}

/// One peer's answer, as it came.
pub(super) struct Heard<'a> {
    pub(super) username: &'a Username,
    pub(super) reply_key: ReplyKey,
    pub(super) certificate_sha256: CertificateSha256,
    pub(super) matches: &'a [ClassedMatch],
}

/// The numbered searches of the person, and the daemon's own look-ups of a file.
#[derive(Default)]
pub(super) struct Book {
    numbered: VecDeque<Numbered>,
    lookups: HashMap<SearchId, (FileId, Hunt)>,
    last_number: u64,
}

impl Book {
    /// Opens a search under the next number. A number is never given twice.
    pub(super) fn open(&mut self, id: SearchId, query: &str, deadline: Instant) -> u64 {
        if self.numbered.len() == SEARCHES_MAX {
            self.numbered.pop_front();
        }
        self.last_number += 1;
        let (number, query) = (self.last_number, query.to_owned());
        self.numbered.push_back(Numbered { number, id, query, hunt: Hunt::new(deadline) });
        number
    }

    /// Opens a search once more under its number, for `id` to be asked for; what was found stays. Answers its query.
    pub(super) fn open_again(&mut self, number: u64, id: SearchId, deadline: Instant) -> Option<String> {
        let search = self.numbered.iter_mut().find(|search| search.number == number)?;
        search.id = id;
        (search.hunt.deadline, search.hunt.was_told_finished) = (deadline, false);
        Some(search.query.clone())
    }

    /// Opens a search for one file that has no number. Whoever opens it also [removes](Self::remove) it.
    pub(super) fn open_lookup(&mut self, id: SearchId, file: FileId, deadline: Instant) {
        self.lookups.insert(id, (file, Hunt::new(deadline)));
    }

    pub(super) fn remove(&mut self, id: SearchId) {
        self.numbered.retain(|search| search.id != id);
        self.lookups.remove(&id);
    }

    pub(super) fn set_deadline(&mut self, id: SearchId, deadline: Instant) {
        if let Some(hunt) = self.hunt(id) {
            hunt.deadline = deadline;
        }
    }

    /// Takes an answer in; tells whether it was for a search that is open. A look-up takes its own file only,
    /// whatever the coordinator passed on.
    pub(super) fn hear(&mut self, id: SearchId, heard: &Heard<'_>, now: Instant) -> bool {
        let wanted = self.lookups.get(&id).map(|(file, _)| *file);
        let Some(hunt) = self.hunt(id).filter(|hunt| !hunt.is_finished(now)) else { return false };
        for found in heard.matches {
            let Ok(file) = FileId::new(found.root, found.size) else { continue };
            if wanted.is_some_and(|wanted| wanted != file) {
                continue;
            }
            let source = Source {
                username: heard.username.clone(),
                name: found.name.clone(),
                file,
                // What is longer is no listing, whatever is said of it.
                folder: found.folder.filter(|_| found.size <= LISTING_BYTES_MAX),
                reply_key: heard.reply_key,
                certificate_sha256: heard.certificate_sha256,
            };
            hunt.add(source, found.class);
        }
        true
    }

    pub(super) fn finish(&mut self, id: SearchId) {
        if let Some(hunt) = self.hunt(id) {
            hunt.was_told_finished = true;
        }
    }

    /// The document of a search, and when it is finished at the latest.
    pub(super) fn view(&self, number: u64, now: Instant) -> Option<(Search, Instant)> {
        let search = self.numbered.iter().find(|search| search.number == number)?;
        let mut results: Vec<SearchResult> = (1..)
            .zip(&search.hunt.found)
            .map(|(number, (source, class))| result(number, source, *class))
            .collect();
        results.sort_by_key(|result| (result.class, result.number));
        let document = Search {
            schema: SCHEMA,
            search: number.to_string(),
            query: search.query.clone(),
            finished: search.hunt.is_finished(now),
            results,
        };
        Some((document, search.hunt.deadline))
    }

    /// What a look-up found so far, whether it is finished, and when at the latest.
    pub(super) fn lookup(&self, id: SearchId, now: Instant) -> Option<(Vec<Source>, bool, Instant)> {
        let (_, hunt) = self.lookups.get(&id)?;
        let sources = hunt.found.iter().map(|(source, _)| source.clone()).collect();
        Some((sources, hunt.is_finished(now), hunt.deadline))
    }

    /// `NUMBER` of the last search, or `SEARCH.NUMBER`.
    pub(super) fn source(&self, target: &str) -> Result<Source, TargetError> {
        let (search, result) = match target.split_once('.') {
            Some((search, result)) => (Some(parse_number(search)?), parse_number(result)?),
            None => (None, parse_number(target)?),
        };
        let search = match search {
            Some(number) => self.numbered.iter().find(|search| search.number == number),
            None => self.numbered.back(),
        };
        let index = usize::try_from(result - 1).map_err(|_| TargetError::ResultUnknown)?;
        let found = &search.ok_or(TargetError::SearchUnknown)?.hunt.found;
        found.get(index).map(|(source, _)| source.clone()).ok_or(TargetError::ResultUnknown)
    }

    fn hunt(&mut self, id: SearchId) -> Option<&mut Hunt> {
        let numbered = self.numbered.iter_mut().find(|search| search.id == id).map(|search| &mut search.hunt);
        numbered.or_else(|| self.lookups.get_mut(&id).map(|(_, hunt)| hunt))
    }
}

fn result(number: u32, source: &Source, class: MatchClass) -> SearchResult {
    SearchResult {
        number,
        username: source.username.clone(),
        name: source.name.clone(),
        size: source.file.size,
        root: source.file.root,
        folder: source.folder,
        class,
    }
}

/// Digits only: `+1` and the like are typing errors. Numbers begin at 1.
fn parse_number(text: &str) -> Result<u64, TargetError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number @ 1..) if is_number => Ok(number),
        _ => Err(TargetError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        time::{Duration, Instant},
    };

    use proptest::{collection::vec, prelude::*};
    use protocol::{
        CertificateSha256, FileId, ReplyKey, Root, SafeName, SearchId, Username, match_rule::MatchClass,
        search::ClassedMatch,
    };

    use super::{Book, Heard, RESULTS_MAX, SEARCHES_MAX};
    use crate::searches::{Source, TargetError};

    const LIFE: Duration = Duration::from_secs(10);

    fn start() -> Instant {
        crate::clock::now()
    }
    fn id(number: u8) -> SearchId {
        SearchId::from_bytes([number; 16])
    }
    fn classed(name: &str, size: u64, class: MatchClass) -> ClassedMatch {
        ClassedMatch {
            name: SafeName::parse(name).unwrap(),
            size,
            root: Root::from_bytes([1; 32]),
            folder: None,
            class,
        }
    }
    fn hear(book: &mut Book, id: SearchId, user: &str, matches: &[ClassedMatch], now: Instant) -> bool {
        let username = &Username::parse(user).unwrap();
        let (reply_key, certificate_sha256) =
            (ReplyKey::from_bytes([2; 32]), CertificateSha256::from_bytes([3; 32]));
        book.hear(id, &Heard { username, reply_key, certificate_sha256, matches }, now)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Hear { search: u8, user: u8, name: u8, size: u64, is_exact: bool },
        Finish(u8),
        Pass(Duration),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let hear = (0..3_u8, 0..3_u8, 0..3_u8, 0..3_u64, any::<bool>()).prop_map(
            |(search, user, name, size, is_exact)| Step::Hear { search, user, name, size, is_exact },
        );
        prop_oneof![
            20 => hear,
            1 => (0..3_u8).prop_map(Step::Finish),
            1 => (0..4_000_u64).prop_map(|pause| Step::Pass(Duration::from_millis(pause))),
        ]
    }

    proptest! {
        /// The model keeps, for each search, a plain list of what came first of each kind while it was open.
        #[test]
        fn results_are_those_of_a_plain_list_numbered_as_they_came_and_shown_exact_first(
            steps in vec(any_step(), 0..120),
        ) {
            let (mut book, mut now) = (Book::default(), start());
            let end = now + LIFE;
            for search in 0..3 {
                prop_assert_eq!(book.open(id(search), "query", end), u64::from(search) + 1);
            }
            let mut model: [Vec<(String, String, u64, MatchClass)>; 3] = Default::default();
            let mut is_over = [false; 3];
            for step in steps {
                match step {
                    Step::Hear { search, user, name, size, is_exact } => {
                        let class = if is_exact { MatchClass::Exact } else { MatchClass::Substring };
                        let (user, name) = (format!("user{user}"), format!("name{name}"));
                        let is_open = !is_over[usize::from(search)] && now < end;
                        let heard = hear(&mut book, id(search), &user, &[classed(&name, size, class)], now);
                        prop_assert_eq!(heard, is_open);
                        let list = &mut model[usize::from(search)];
                        let is_new = !list.iter().any(|(u, n, s, _)| (u, n, *s) == (&user, &name, size));
                        if is_open && is_new {
                            list.push((user, name, size, class));
                        }
                    }
                    Step::Finish(search) => {
                        book.finish(id(search));
                        is_over[usize::from(search)] = true;
                    }
                    Step::Pass(pause) => now += pause,
                }
            }
            for (search, list) in (1_u64..).zip(&model) {
                let (document, _) = book.view(search, now).unwrap();
                prop_assert_eq!(document.finished, is_over[usize::try_from(search - 1).unwrap()] || now >= end);
                let numbers: BTreeSet<u32> = document.results.iter().map(|result| result.number).collect();
                prop_assert_eq!(numbers, (1..=u32::try_from(list.len()).unwrap()).collect::<BTreeSet<_>>());
                prop_assert!(document.results.is_sorted_by_key(|result| (result.class, result.number)));
                for result in document.results {
                    let (user, name, size, class) = &list[result.number as usize - 1];
                    prop_assert_eq!(
                        (result.username.as_str(), result.name.as_str(), result.size, result.class),
                        (user.as_str(), name.as_str(), *size, *class)
                    );
                    let source = book.source(&format!("{search}.{}", result.number)).unwrap();
                    prop_assert_eq!((source.username, source.file.size), (result.username, result.size));
                }
            }
        }
    }

    #[test]
    fn a_target_is_a_number_of_the_last_search_or_of_a_named_one() {
        let (mut book, now) = (Book::default(), start());
        assert_eq!(book.source("1"), Err(TargetError::SearchUnknown));
        for search in 1..=2_u8 {
            book.open(id(search), "query", now + LIFE);
            hear(&mut book, id(search), "alice", &[classed("a", search.into(), MatchClass::Exact)], now);
        }
        let size = |source: Result<Source, TargetError>| source.map(|source| source.file.size);
        assert_eq!(size(book.source("1")), Ok(2));
        assert_eq!(size(book.source("1.1")), Ok(1));
        for (target, expected) in [
            ("2", TargetError::ResultUnknown),
            ("1.2", TargetError::ResultUnknown),
            ("99999999999999999999", TargetError::Malformed),
            ("3.1", TargetError::SearchUnknown),
        ] {
            assert_eq!(book.source(target), Err(expected), "{target}");
        }
        for target in ["", "0", "-1", "+1", "1.", ".1", "1.0", "0.1", "1.1.1", "a", "1 ", "１"] {
            assert_eq!(book.source(target), Err(TargetError::Malformed), "{target:?}");
        }
    }

    #[test]
    fn the_oldest_search_is_forgotten_and_no_number_given_twice() {
        let (mut book, now) = (Book::default(), start());
        for number in 0..=SEARCHES_MAX {
            book.open(SearchId::random(), &number.to_string(), now + LIFE);
        }
        assert!(book.view(1, now).is_none() && book.view(2, now).is_some());
        book.open(id(1), "failed", now + LIFE);
        book.remove(id(1));
        assert_eq!(book.open(id(2), "query", now + LIFE), SEARCHES_MAX as u64 + 3);
    }

    #[test]
    fn a_search_that_is_made_again_keeps_its_number_and_what_it_found() {
        let (mut book, now) = (Book::default(), start());
        book.open(id(1), "query", now + LIFE);
        hear(&mut book, id(1), "alice", &[classed("a", 1, MatchClass::Exact)], now);
        let later = now + LIFE;
        assert_eq!(book.open_again(1, id(2), later + LIFE), Some("query".to_owned()));
        assert!(!hear(&mut book, id(1), "bert", &[classed("a", 1, MatchClass::Exact)], later), "too late");
        let both = [classed("a", 1, MatchClass::Exact), classed("b", 2, MatchClass::Exact)];
        hear(&mut book, id(2), "alice", &both, later);
        let (document, deadline) = book.view(1, later).unwrap();
        let names: Vec<_> = document.results.iter().map(|result| result.name.as_str()).collect();
        assert_eq!((names, document.finished, deadline), (vec!["a", "b"], false, later + LIFE));
        assert_eq!(book.open_again(2, id(3), later), None);
    }

    #[test]
    fn a_search_keeps_no_more_than_its_limit() {
        let (mut book, now) = (Book::default(), start());
        book.open(id(1), "query", now + LIFE);
        let many: Vec<_> =
            (0..2 * RESULTS_MAX as u64).map(|size| classed("a", size, MatchClass::Substring)).collect();
        hear(&mut book, id(1), "alice", &many, now);
        assert_eq!(book.view(1, now).unwrap().0.results.len(), RESULTS_MAX);
    }

    #[test]
    fn a_lookup_takes_its_own_file_only() {
        let (mut book, now) = (Book::default(), start());
        let file = FileId::new(Root::from_bytes([1; 32]), 5).unwrap();
        book.open_lookup(id(1), file, now + LIFE);
        let others = [classed("a", 4, MatchClass::Exact), classed("a", 5, MatchClass::Exact)];
        hear(&mut book, id(1), "alice", &others, now);
        let (sources, is_finished, _) = book.lookup(id(1), now).unwrap();
        assert_eq!(sources.iter().map(|source| source.file).collect::<Vec<_>>(), [file]);
        assert!(!is_finished && book.lookup(id(1), now + LIFE).unwrap().1);
    }
}
