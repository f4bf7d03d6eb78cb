//! The searches that run just now: who asked what, who answered, how many results still fit.
//!
//! ```text
//!   open ──deadline, withdrawn, full──▶ over ──grace──▶ forgotten
//! ```
//! An over search is kept for a few seconds, so that a late or repeated call gets the answer that it should.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    SearchId,
    match_rule::{FoldedName, MatchClass},
    search::{ClassedMatch, Match, Subject},
};
use thiserror::Error;

use super::{
    deadlines::Deadlines,
    sessions::{HashedName, SessionId},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct SearchRules {
    pub(crate) lifetime: Duration,
    /// How long anything of a search may outlive it.
    pub(crate) grace: Duration,
    pub(crate) running_max: usize,
    pub(crate) substring_results: usize,
    pub(crate) substring_results_a_peer: usize,
    pub(crate) exact_results: usize,
    pub(crate) exact_results_a_peer: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum SearchError {
    #[error("the id is in use for another search")]
    IdTaken,
    #[error("no further search fits just now")]
    Busy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no such search, or it is over or full, or it is someone else's")]
pub(crate) struct SearchOver;

#[derive(Debug)]
struct Search {
    searcher: SessionId,
    subject: Arc<Subject>,
    deadline: Instant,
    is_over: bool,
    substring_left: usize,
    exact_left: usize,
    /// One answer a name: skeletons, so that a peer that connects again does not answer twice. Who had nothing
    /// that fits is not among them, so there are at most as many as results.
    answered: HashSet<[u8; 16]>,
}

impl Search {
    fn is_full(&self) -> bool {
        let substring_full = self.substring_left == 0 || matches!(*self.subject, Subject::File(_));
        self.exact_left == 0 && substring_full
    }
}

/// What is left of an answer for the searcher.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) searcher: SessionId,
    pub(crate) matches: Vec<ClassedMatch>,
    /// When the results are no longer kept for the searcher.
    pub(crate) expires: Instant,
    /// No more will come.
    pub(crate) search_is_full: bool,
}

#[derive(Debug)]
pub(crate) struct Searches {
    rules: SearchRules,
    known: HashMap<SearchId, Search>,
    deadlines: Deadlines<SearchId>,
}

impl Searches {
    pub(crate) fn new(rules: SearchRules) -> Self {
        Self { rules, known: HashMap::new(), deadlines: Deadlines::new() }
    }

    pub(crate) fn change_rules(&mut self, rules: SearchRules) {
        self.rules = rules;
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Opens a search; `None` when the same call opened it before, otherwise its deadline.
    pub(crate) fn open(
        &mut self,
        id: SearchId,
        searcher: SessionId,
        subject: &Subject,
        now: Instant,
    ) -> Result<Option<Instant>, SearchError> {
        if let Some(known) = self.known.get(&id) {
            let same = known.searcher == searcher && *known.subject == *subject;
            return if same { Ok(None) } else { Err(SearchError::IdTaken) };
        }
        if self.known.len() >= self.rules.running_max {
            return Err(SearchError::Busy);
        }
        let deadline = now + self.rules.lifetime;
        let search = Search {
            searcher,
            subject: Arc::new(subject.clone()),
            deadline,
            is_over: false,
            substring_left: self.rules.substring_results,
            exact_left: self.rules.exact_results,
            answered: HashSet::new(),
        };
        self.known.insert(id, search);
        self.deadlines.schedule(deadline, id);
        Ok(Some(deadline))
    }

    /// What an answer has to match; `None` when this name has answered already.
    pub(crate) fn subject_for(
        &self,
        id: SearchId,
        answerer: HashedName,
        session: SessionId,
        now: Instant,
    ) -> Result<Option<Arc<Subject>>, SearchOver> {
        let search = self.running(id, now).filter(|search| search.searcher != session).ok_or(SearchOver)?;
        let is_first = !search.answered.contains(&answerer.skeleton);
        Ok(is_first.then(|| Arc::clone(&search.subject)))
    }

    /// Takes one peer's matches in as far as they fit; `None` when this name has answered already.
    pub(crate) fn admit(
        &mut self,
        id: SearchId,
        answerer: HashedName,
        matches: Vec<ClassedMatch>,
        now: Instant,
    ) -> Result<Option<Admitted>, SearchOver> {
        self.running(id, now).ok_or(SearchOver)?;
        let search = self.known.get_mut(&id).ok_or(SearchOver)?;
        if search.answered.contains(&answerer.skeleton) {
            return Ok(None);
        }
        let mut substring_left_of_peer = self.rules.substring_results_a_peer;
        let mut exact_left_of_peer = self.rules.exact_results_a_peer;
        let mut admitted = Vec::new();
        for found in matches {
            let (left, left_of_peer) = match found.class {
                MatchClass::Exact => (&mut search.exact_left, &mut exact_left_of_peer),
                MatchClass::Substring => (&mut search.substring_left, &mut substring_left_of_peer),
            };
            if *left_of_peer > 0 && take_one(left) {
                *left_of_peer -= 1;
                admitted.push(found);
            }
        }
        if !admitted.is_empty() {
            search.answered.insert(answerer.skeleton);
        }
        Ok(Some(Admitted {
            searcher: search.searcher,
            matches: admitted,
            expires: search.deadline + self.rules.grace,
            search_is_full: search.is_full(),
        }))
    }

    /// Ends a search for its maker; whether it was still running.
    pub(crate) fn withdraw(&mut self, id: SearchId, searcher: SessionId) -> Result<bool, SearchOver> {
        let search = self.known.get(&id).filter(|search| search.searcher == searcher).ok_or(SearchOver)?;
        let was_running = !search.is_over;
        self.finish(id);
        Ok(was_running)
    }

    /// Marks a search as over; its searcher and until when that is worth telling.
    pub(crate) fn finish(&mut self, id: SearchId) -> Option<(SessionId, Instant)> {
        let search = self.known.get_mut(&id)?;
        search.is_over = true;
        search.answered = HashSet::new();
        Some((search.searcher, search.deadline + self.rules.grace))
    }

    /// The next search whose deadline has come. Those whose grace has ended are forgotten on the way.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<SearchId> {
        while let Some(id) = self.deadlines.pop_due(now) {
            let Some(search) = self.known.get(&id) else { continue };
            let forget_at = search.deadline + self.rules.grace;
            let was_running = !search.is_over;
            if forget_at <= now {
                self.known.remove(&id);
            } else {
                self.deadlines.schedule(forget_at, id);
            }
            if was_running {
                return Some(id);
            }
        }
        None
    }

    fn running(&self, id: SearchId, now: Instant) -> Option<&Search> {
        self.known.get(&id).filter(|search| !search.is_over && search.deadline > now && !search.is_full())
    }
}

fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left -= usize::from(any);
    any
}

/// Applies the match rule to an answer: what does not match is dropped, equal matches become one, exact ones
/// come first.
pub(crate) fn classify(subject: &Subject, matches: Vec<Match>) -> Vec<ClassedMatch> {
    let mut seen = HashSet::new();
    let mut classed: Vec<ClassedMatch> = matches
        .into_iter()
        .filter(|found| seen.insert(found.clone()))
        .filter_map(|found| {
            let class = subject.classify(&FoldedName::new(found.name.as_str()), &found.file()?)?;
            let Match { name, size, root, folder } = found;
            Some(ClassedMatch { name, size, root, folder, class })
        })
        .collect();
    classed.sort_by_key(|found| found.class);
    classed
}

/// Up to this many sessions may answer in one instant.
const SESSIONS_WITHOUT_SPREAD: usize = 500;
/// Beyond, each millisecond of spread takes so many more.
const SESSIONS_A_MILLISECOND: usize = 10;
const SPREAD_MILLISECONDS_MAX: usize = 1_000;

/// Over how long peers spread their answers to one search.
pub(crate) fn spread_milliseconds(sessions: usize) -> u64 {
    let beyond = sessions.saturating_sub(SESSIONS_WITHOUT_SPREAD);
    (beyond / SESSIONS_A_MILLISECOND).min(SPREAD_MILLISECONDS_MAX) as u64
}

#[cfg(test)]
#[path = "searches_tests.rs"]
mod tests;
