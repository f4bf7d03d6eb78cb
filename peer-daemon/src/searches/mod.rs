//! Searches: own ones with their results, and the answers to those of others.

mod answers;
mod own;

use std::{sync::Arc, time::Duration};

use protocol::{
    CertificateSha256, Event, FileId, ReplyKey, SafeName, Username,
    control::Search,
    match_rule::QueryError,
    search::{Match, Subject},
};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::coordinator_link::{CallError, CoordinatorLink};

/// What this peer offers: the library, as the answerer sees it. Called on a blocking thread.
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
    pub file: FileId,
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

/// Why a result's name leads nowhere.
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
    _shared: Arc<()>,
}

impl Searches {
    pub fn new(
        _link: CoordinatorLink,
        _catalogue: Arc<dyn Catalogue>,
        _keys: watch::Receiver<AnswerKeys>,
        _tracker: &TaskTracker,
    ) -> Self {
        todo!()
    }
    /// Asks the coordinator; results come by [`on_event`](Self::on_event).
    pub async fn start(&self, _query: &str) -> Result<Search, SearchError> {
        todo!()
    }
    /// The search with this number, once it has more than `known` results or is finished, or after `wait`.
    pub async fn view(&self, _number: u64, _known: usize, _wait: Duration) -> Option<Search> {
        todo!()
    }
    /// The result that a person names: `NUMBER` of the last search, or `SEARCH.NUMBER`.
    pub fn source(&self, _target: &str) -> Result<Source, TargetError> {
        todo!()
    }
    /// Who has this very file: for a source that is gone or whose key is stale.
    pub async fn find_sources(&self, _file: &FileId, _wait: Duration) -> Result<Vec<Source>, CallError> {
        todo!()
    }
    /// Takes what concerns searches, own and others', from the link; passes over the rest.
    pub fn on_event(&self, _event: &Event) {
        todo!()
    }
}
