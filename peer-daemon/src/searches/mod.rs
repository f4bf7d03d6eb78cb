//! Searches: this peer's own, with their results, and the answers to those of others.
//!
//! Both sides of a search are here because both speak the same two words, subject and match, and neither knows
//! the other: who asks stays hidden from who answers. What came is kept by number ([`own`]), so that a person
//! can name a result; what others ask is matched and forgotten ([`answers`]).

mod answers;
mod own;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::{
    CertificateSha256, Event, FileId, FolderSummary, ReplyKey, SafeName, SearchId, Username,
    control::Search,
    link::Link,
    match_rule::{Query, QueryError},
    search::{Match, Subject},
};
use thiserror::Error;
use tokio::{
    sync::{Semaphore, watch},
    time::{sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    answers::Answerer,
    own::{Book, Heard},
};
use crate::{
    clock,
    coordinator_link::{CallError, CoordinatorLink},
};

/// A search counts as finished so long after its deadline at the coordinator, if no event said so.
const GRACE: Duration = Duration::from_secs(2);
/// No search lives longer, whatever a coordinator tells; also until it has told.
const LIFE_MAX: Duration = Duration::from_mins(1);
/// Look-ups of sources at once: more are downloads that retry in one instant, and they wait their turn.
const LOOKUPS_MAX: usize = 8;
/// After the first source, others get this long: peers spread their answers over as much.
const LOOKUP_SETTLE: Duration = Duration::from_secs(1);

/// What this peer offers: the library, as a search sees it. Called on a blocking thread.
pub trait Catalogue: Send + Sync + 'static {
    /// At most `limit` files that match.
    fn search(&self, subject: &Subject, limit: usize) -> Vec<Match>;
}

/// What an answer tells of this peer's current identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerKeys {
    pub reply_key: ReplyKey,
    pub certificate_sha256: CertificateSha256,
}

/// A result as an introduction needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub username: Username,
    pub name: SafeName,
    /// Of a folder, its listing's.
    pub file: FileId,
    pub folder: Option<FolderSummary>,
    pub reply_key: ReplyKey,
    pub certificate_sha256: CertificateSha256,
}

/// Why a search could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why the name of a result leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    #[error("a result is named by its number in the last search, or SEARCH.NUMBER")]
    Malformed,
    #[error("there is no such search")]
    SearchUnknown,
    #[error("there is no such result")]
    ResultUnknown,
}

/// The daemon's searches. Clones share them.
#[derive(Clone)]
pub struct Searches {
    shared: Arc<Shared>,
}

struct Shared {
    link: CoordinatorLink,
    answerer: Answerer,
    tracker: TaskTracker,
    token: CancellationToken,
    /// Each use is a few steps in memory and never waits, so a plain mutex does.
    book: Mutex<Book>,
    /// Tells those who wait for results that the book has changed.
    changed: watch::Sender<()>,
    lookups: Semaphore,
}

impl Searches {
    /// `keys` follow the current identity; while there is none, searches of others go unanswered.
    pub fn new(
        link: CoordinatorLink,
        catalogue: Arc<dyn Catalogue>,
        keys: watch::Receiver<Option<AnswerKeys>>,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Self {
        let shared = Shared {
            answerer: Answerer::new(link.clone(), catalogue, keys, tracker.clone(), token.clone()),
            link,
            tracker: tracker.clone(),
            token,
            book: Mutex::default(),
            changed: watch::channel(()).0,
            lookups: Semaphore::new(LOOKUPS_MAX),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Asks all peers. Results come by [`on_event`](Self::on_event) and are seen by [`view`](Self::view).
    pub async fn start(&self, query: &str) -> Result<Search, SearchError> {
        let query = Query::parse(query)?;
        let id = SearchId::random();
        // Before the call, for results may be faster than its answer.
        let number = self.shared.book().open(id, query.as_str(), clock::now() + LIFE_MAX);
        let mut opened = Opened { shared: &self.shared, id, fate: Fate::TakenBack };
        opened.ask(&Subject::Query(query)).await?;
        opened.fate = Fate::Kept;
        let document = self.shared.book().view(number, clock::now());
        document.map(|(document, _)| document).ok_or(SearchError::Call(CallError::NotConnected))
    }

    /// Asks all peers once more for what a search asked. What is new gets the numbers that follow; nothing is said
    /// twice. `None` if there is no such search (any more).
    pub async fn again(&self, number: u64) -> Result<Option<Search>, SearchError> {
        let id = SearchId::random();
        let reopened = self.shared.book().open_again(number, id, clock::now() + LIFE_MAX);
        let Some(query) = reopened else { return Ok(None) };
        let mut opened = Opened { shared: &self.shared, id, fate: Fate::Kept };
        let asked = opened.ask(&Subject::Query(Query::parse(&query)?)).await;
        if asked.is_err() {
            // What was found before stays.
            opened.fate = Fate::Kept;
            self.shared.book().finish(id);
        }
        asked?;
        Ok(self.shared.book().view(number, clock::now()).map(|(document, _)| document))
    }

    /// The search with this number, once it has more than `known` results or is finished, or else after `wait`.
    /// `None` if there is no such search (any more).
    pub async fn view(&self, number: u64, known: usize, wait: Duration) -> Option<Search> {
        let patience = clock::now() + wait;
        let mut changed = self.shared.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let now = clock::now();
            let (document, deadline) = self.shared.book().view(number, now)?;
            if document.results.len() > known || document.finished || now >= patience {
                return Some(document);
            }
            changed_or_at(&mut changed, deadline.min(patience)).await;
        }
    }

    /// The result that a person names: `NUMBER` of the last search, or `SEARCH.NUMBER`.
    pub fn source(&self, target: &str) -> Result<Source, TargetError> {
        self.shared.book().source(target)
    }

    /// Somebody who has what a link names, under the link's name: that is what was asked for, whatever others call it.
    /// And whether it is a folder, the link tells: who answers first could lie about it. Only where nobody has it for a
    /// file, a link that tells nothing (its maker may know of no folders) is one to what they say.
    pub async fn find_linked(&self, link: Link, wait: Duration) -> Result<Option<Source>, CallError> {
        let agrees = |source: &Source| source.folder.is_some() == link.is_folder;
        let mut found = self.find(&link.file, wait, agrees).await?;
        let chosen = found.iter().position(agrees).or((!link.is_folder && !found.is_empty()).then_some(0));
        Ok(chosen.map(|index| Source { name: link.name, ..found.swap_remove(index) }))
    }

    /// Who has this very file: for a download whose source is gone or has a new key. Returns a moment after the first
    /// source was heard of, and empty-handed after `wait` or when the search is over.
    pub async fn find_sources(&self, file: &FileId, wait: Duration) -> Result<Vec<Source>, CallError> {
        self.find(file, wait, |_| true).await
    }

    /// The same; what is returned a moment after is a source that is wanted.
    async fn find(
        &self,
        file: &FileId,
        wait: Duration,
        is_wanted: impl Fn(&Source) -> bool,
    ) -> Result<Vec<Source>, CallError> {
        let mut patience = clock::now() + wait;
        let Ok(Ok(_turn)) = timeout(wait, self.shared.lookups.acquire()).await else { return Ok(Vec::new()) };
        let id = SearchId::random();
        let mut changed = self.shared.changed.subscribe();
        self.shared.book().open_lookup(id, *file, clock::now() + LIFE_MAX);
        let mut opened = Opened { shared: &self.shared, id, fate: Fate::TakenBack };
        opened.ask(&Subject::File(*file)).await?;
        let mut is_settling = false;
        loop {
            changed.mark_unchanged();
            let now = clock::now();
            let Some((sources, is_finished, deadline)) = self.shared.book().lookup(id, now) else {
                return Ok(Vec::new());
            };
            if sources.iter().any(&is_wanted) && !is_settling {
                is_settling = true;
                patience = patience.min(now + LOOKUP_SETTLE);
            }
            if is_finished {
                opened.fate = Fate::Struck;
            }
            if is_finished || now >= patience {
                return Ok(sources);
            }
            changed_or_at(&mut changed, deadline.min(patience)).await;
        }
    }

    /// Takes what concerns searches, own and others', and passes over the rest. An event that comes again does
    /// nothing more.
    pub fn on_event(&self, event: &Event) {
        match event {
            Event::Search { id, subject, spread_milliseconds } => {
                self.shared.answerer.on_search(*id, subject, Duration::from_millis(*spread_milliseconds));
            }
            Event::SearchResults { id, username, reply_key, certificate_sha256, matches } => {
                let (reply_key, certificate_sha256) = (*reply_key, *certificate_sha256);
                let heard = Heard { username, reply_key, certificate_sha256, matches };
                if self.shared.book().hear(*id, &heard, clock::now()) {
                    self.shared.changed.send_replace(());
                }
            }
            Event::SearchFinished { id } => {
                self.shared.book().finish(*id);
                self.shared.changed.send_replace(());
            }
            Event::Introduction { .. }
            | Event::IntroductionReply { .. }
            | Event::IntroductionWithdrawn { .. }
            | Event::EventsLost { .. }
            | Event::Unknown => {}
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A search in the book whose maker is still at it. What becomes of it is decided when this is dropped, so that
/// a maker who goes away at any await leaves nothing behind.
struct Opened<'a> {
    shared: &'a Shared,
    id: SearchId,
    fate: Fate,
}

enum Fate {
    /// A person can name it from now on.
    Kept,
    /// Out of the book.
    Struck,
    /// Out of the book, and ended at the coordinator.
    TakenBack,
}

impl Opened<'_> {
    async fn ask(&mut self, subject: &Subject) -> Result<(), CallError> {
        match self.shared.link.search(self.id, subject).await {
            Ok(lives) => {
                let deadline = clock::now() + lives.min(LIFE_MAX) + GRACE;
                self.shared.book().set_deadline(self.id, deadline);
                Ok(())
            }
            Err(error) => {
                self.fate = Fate::Struck;
                Err(error)
            }
        }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        match self.fate {
            Fate::Kept => {}
            Fate::Struck => self.shared.book().remove(self.id),
            Fate::TakenBack => {
                self.shared.book().remove(self.id);
                let (link, id, token) = (self.shared.link.clone(), self.id, self.shared.token.clone());
                // Best effort: without it, the search ends by itself.
                self.shared
                    .tracker
                    .spawn(async move { token.run_until_cancelled(link.withdraw_search(id)).await });
            }
        }
    }
}

async fn changed_or_at(changed: &mut watch::Receiver<()>, at: Instant) {
    tokio::select! {
        _the_sender_is_ours = changed.changed() => {}
        () = sleep_until(at.into()) => {}
    }
}
