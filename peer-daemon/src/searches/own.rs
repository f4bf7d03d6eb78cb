//! The book of this peer's own searches: what was asked, what came, under which number. Pure: told the time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Instant,
};

use protocol::{
    CertificateSha256, FileId, ReplyKey, SearchId, Username,
    control::{SCHEMA, Search, SearchResult},
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
    seen: HashSet<(Username, String, FileId)>,
}

impl Hunt {
    fn new(deadline: Instant) -> Self {
        Self { deadline, was_told_finished: false, found: Vec::new(), seen: HashSet::new() }
    }

    fn is_finished(&self, now: Instant) -> bool {
        self.was_told_finished || now >= self.deadline
    }

    fn add(&mut self, source: Source, class: MatchClass) {
        let key = (source.username.clone(), source.name.as_str().to_owned(), source.file);
        if self.found.len() < RESULTS_MAX && self.seen.insert(key) {
            self.found.push((source, class));
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
