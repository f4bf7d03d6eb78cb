//! Answers to the searches of others: from this peer's own library, after a random moment, and only when there
//! is something to say.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protocol::{
    SearchId,
    limits::MATCHES_PER_ANSWER_MAX,
    search::{AnswerRequest, Match, Subject},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{AnswerKeys, Catalogue};
use crate::coordinator_link::{CoordinatorLink, LinkStatus};

/// Answers under way at once. More searches than that in a second or two are a flood, and a search that goes
/// unanswered by one peer is no loss.
pub(super) const UNDER_WAY_MAX: usize = 64;
/// Searches that are remembered as answered: an event comes twice within seconds, if at all.
const ANSWERED_MAX: usize = 1024;
/// No coordinator spreads answers further: a search lives 10 s.
const SPREAD_MAX: Duration = Duration::from_secs(5);

/// Answers what peers search for.
pub(super) struct Answerer {
    link: CoordinatorLink,
    catalogue: Arc<dyn Catalogue>,
    keys: watch::Receiver<Option<AnswerKeys>>,
    tracker: TaskTracker,
    token: CancellationToken,
    pub(super) under_way: Arc<Semaphore>,
    answered: Mutex<Answered>,
}

impl Answerer {
    pub(super) fn new(
        link: CoordinatorLink,
        catalogue: Arc<dyn Catalogue>,
        keys: watch::Receiver<Option<AnswerKeys>>,
        tracker: TaskTracker,
        token: CancellationToken,
    ) -> Self {
        Self {
            link,
            catalogue,
            keys,
            tracker,
            token,
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            answered: Mutex::default(),
        }
    }

    /// Starts an answer, unless this search was answered before or too many answers are under way.
    pub(super) fn on_search(&self, id: SearchId, subject: &Subject, spread: Duration) {
        let Ok(permit) = self.under_way.clone().try_acquire_owned() else {
            tracing::debug!("a search goes unanswered: too many at once");
            return;
        };
        if !self.answered.lock().unwrap_or_else(PoisonError::into_inner).is_new(id) {
            return;
        }
        let answer = Answer {
            id,
            subject: subject.clone(),
            pause: spread.min(SPREAD_MAX).mul_f64(rand::random()),
            link: self.link.clone(),
            catalogue: self.catalogue.clone(),
            keys: self.keys.clone(),
            tracker: self.tracker.clone(),
            _permit: permit,
        };
        let token = self.token.clone();
        self.tracker.spawn(async move { token.run_until_cancelled_owned(answer.give()).await });
    }
}

/// One answer under way.
struct Answer {
    id: SearchId,
    subject: Subject,
    pause: Duration,
    link: CoordinatorLink,
    catalogue: Arc<dyn Catalogue>,
    keys: watch::Receiver<Option<AnswerKeys>>,
    tracker: TaskTracker,
    _permit: OwnedSemaphorePermit,
}

impl Answer {
    async fn give(self) {
        let matches = self.matches().await;
        if matches.is_empty() {
            return;
        }
        sleep(self.pause).await;
        let Some(AnswerKeys { reply_key, certificate_sha256 }) = *self.keys.borrow() else { return };
        let answer = AnswerRequest { reply_key, certificate_sha256, matches };
        if let Err(error) = self.link.answer(self.id, &answer).await {
            // Mostly that the search is over or full.
            tracing::debug!(%error, "an answer was not taken");
        }
    }

    /// Off the async threads: a large library takes a while.
    async fn matches(&self) -> Vec<Match> {
        let limit = match &*self.link.status().borrow() {
            LinkStatus::Connected { limits, .. } => limits.matches_per_answer.min(MATCHES_PER_ANSWER_MAX),
            LinkStatus::Idle | LinkStatus::Refused { .. } | LinkStatus::Connecting { .. } => {
                MATCHES_PER_ANSWER_MAX
            }
        };
        let (catalogue, subject) = (self.catalogue.clone(), self.subject.clone());
        let found = self.tracker.spawn_blocking(move || catalogue.search(&subject, limit)).await;
        let mut matches = found.unwrap_or_default();
        matches.truncate(limit);
        matches
    }
}

/// The last searches that were answered, or looked at; the oldest is forgotten for a new one.
#[derive(Default)]
struct Answered {
    ids: HashSet<SearchId>,
    order: VecDeque<SearchId>,
}

impl Answered {
    /// Whether the id comes for the first time; remembers it.
    fn is_new(&mut self, id: SearchId) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        if self.order.len() == ANSWERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.order.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use protocol::SearchId;

    use super::{ANSWERED_MAX, Answered};

    fn id(number: u16) -> SearchId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        SearchId::from_bytes(bytes)
    }

    proptest! {
        #[test]
        fn an_id_is_new_unless_it_is_among_the_last_new_ones(numbers in vec(0_u16..1_500, 0..4_000)) {
            let (mut answered, mut model) = (Answered::default(), Vec::new());
            for number in numbers {
                let recent = &model[model.len().saturating_sub(ANSWERED_MAX)..];
                let expected = !recent.contains(&number);
                prop_assert_eq!(answered.is_new(id(number)), expected);
                if expected {
                    model.push(number);
                }
                prop_assert!(answered.ids.len() <= ANSWERED_MAX && answered.ids.len() == answered.order.len());
            }
        }
    }
}
