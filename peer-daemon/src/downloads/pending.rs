//! The introductions that this peer has sent and not finished: where a dial-back is matched to its message-key,
//! and the target's words to whoever waits for them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use protocol::{
    CertificateSha256, IntroductionId, MessageKey,
    introduction::{HeardReply, IntroductionProof},
};
use tokio::sync::mpsc;

use super::{setback::DialTrouble, step::Way};
use crate::peer_stream::client::Requester;

/// Words and streams that wait for the introduction's owner. It reads them at once; more than a few means
/// that someone repeats himself, and what does not fit is dropped (words are sent again, streams dialled again).
const NEWS_QUEUE: usize = 8;

/// What happens to a pending introduction.
#[derive(Debug)]
pub(crate) enum News {
    /// The target's word, through the coordinator.
    Word(HeardReply),
    /// Someone named this introduction and showed another key.
    WrongKey,
    /// This peer's own dial to the target led nowhere.
    DialFailed(DialTrouble),
    /// A stream whose message-key was right.
    Stream(Box<Requester>, Way),
}

/// All pending introductions. A plain mutex: it is held for a look-up, never over an await.
#[derive(Clone, Default)]
pub(crate) struct PendingIntroductions {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    by_id: Mutex<HashMap<IntroductionId, Pending>>,
    refused: AtomicU64,
    /// A source has dialled this peer, and its key was right.
    was_dialled: AtomicBool,
}

struct Pending {
    /// `None` once it was shown: a key opens one stream.
    message_key: Option<MessageKey>,
    target_certificate: CertificateSha256,
    news: mpsc::Sender<News>,
}

/// An introduction that is pending for as long as this is held.
pub(crate) struct Ticket {
    id: IntroductionId,
    pending: PendingIntroductions,
    news: mpsc::Receiver<News>,
}

impl PendingIntroductions {
    /// Registers an introduction before it is sent, for its dial-back may come before the coordinator's answer.
    pub(crate) fn register(&self, id: IntroductionId) -> Ticket {
        let (sender, news) = mpsc::channel(NEWS_QUEUE);
        let pending = Pending {
            message_key: None,
            target_certificate: CertificateSha256::from_bytes([0; 32]),
            news: sender,
        };
        self.lock().insert(id, pending);
        Ticket { id, pending: self.clone(), news }
    }

    /// Whether a dial-back may come at all; if not, the download port does not say a word.
    pub(crate) fn any_expected(&self) -> bool {
        self.lock().values().any(|pending| pending.message_key.is_some())
    }

    /// Gives the target's word to the one who waits for it.
    pub(crate) fn hear(&self, id: IntroductionId, word: HeardReply) {
        self.tell(id, News::Word(word));
    }

    /// This peer dialled the target in vain.
    pub(crate) fn note_failed_dial(&self, id: IntroductionId, how: DialTrouble) {
        self.tell(id, News::DialFailed(how));
    }

    fn tell(&self, id: IntroductionId, news: News) {
        if let Some(pending) = self.lock().get(&id) {
            // A full queue drops it: the next sending is answered with the current word, and waits have an end.
            let _full = pending.news.try_send(news);
        }
    }

    /// Checks what the other side of a stream has shown. Right: its introduction gets the stream, and the key
    /// is used up. Wrong, unknown, used up or from another certificate: counted, and the stream is dropped.
    pub(crate) fn settle(
        &self,
        proof: &IntroductionProof,
        stream: Requester,
        way: Way,
    ) -> Result<(), Refused> {
        let certificate = stream.target_certificate();
        let owner = self.take_owner(proof, certificate).ok_or_else(|| self.count_refusal())?;
        if way == Way::DialBack {
            self.shared.was_dialled.store(true, Ordering::Relaxed);
        }
        owner.try_send(News::Stream(Box::new(stream), way)).map_err(|_| Refused)
    }

    fn take_owner(
        &self,
        proof: &IntroductionProof,
        certificate: CertificateSha256,
    ) -> Option<mpsc::Sender<News>> {
        let mut by_id = self.lock();
        let pending = by_id.get_mut(&proof.id)?;
        // `MessageKey` compares in constant time.
        let is_right = pending.message_key.as_ref() == Some(&proof.message_key)
            && pending.target_certificate == certificate;
        if !is_right {
            // A full queue has news enough.
            let _full = pending.news.try_send(News::WrongKey);
            return None;
        }
        pending.message_key = None;
        Some(pending.news.clone())
    }

    pub(crate) fn count_refusal(&self) -> Refused {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        Refused
    }

    /// Whether the download port is known to be reached by others.
    pub(crate) fn was_dialled(&self) -> bool {
        self.shared.was_dialled.load(Ordering::Relaxed)
    }

    /// Streams that were turned away since the start.
    pub(crate) fn refusals(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IntroductionId, Pending>> {
        self.shared.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stream does not belong to any pending introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Ticket {
    pub(crate) fn id(&self) -> IntroductionId {
        self.id
    }

    /// The key that goes out with the next sending: the same until it was shown, then a fresh one.
    pub(crate) fn message_key(&self, target_certificate: CertificateSha256) -> MessageKey {
        let mut by_id = self.pending.lock();
        let Some(pending) = by_id.get_mut(&self.id) else { return MessageKey::random() };
        pending.target_certificate = target_certificate;
        pending.message_key.get_or_insert_with(MessageKey::random).clone()
    }

    /// What happens next; cancel-safe.
    pub(crate) async fn news(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(n: u8) -> CertificateSha256 {
        CertificateSha256::from_bytes([n; 32])
    }

    fn proof(id: IntroductionId, message_key: MessageKey) -> IntroductionProof {
        IntroductionProof { id, message_key }
    }

    #[test]
    fn only_the_right_key_from_the_right_certificate_passes_and_only_once() {
        let pending = PendingIntroductions::default();
        let id = IntroductionId::random();
        let ticket = pending.register(id);
        assert!(!pending.any_expected(), "nothing was sent yet");
        let key = ticket.message_key(certificate(1));
        assert!(pending.any_expected());
        assert_eq!(ticket.message_key(certificate(1)), key, "sent again with the same key");

        let wrong = [
            (proof(id, MessageKey::random()), certificate(1)),
            (proof(IntroductionId::random(), key.clone()), certificate(1)),
            (proof(id, key.clone()), certificate(2)),
        ];
        for (proof, from) in wrong {
            assert!(pending.take_owner(&proof, from).is_none());
        }
        assert!(pending.take_owner(&proof(id, key.clone()), certificate(1)).is_some());
        assert!(
            pending.take_owner(&proof(id, key.clone()), certificate(1)).is_none(),
            "a key was shown twice"
        );
        assert_ne!(ticket.message_key(certificate(1)), key, "a used key went out again");
    }

    #[test]
    fn an_introduction_that_is_over_is_unknown() {
        let pending = PendingIntroductions::default();
        let id = IntroductionId::random();
        let ticket = pending.register(id);
        let key = ticket.message_key(certificate(1));
        drop(ticket);
        assert!(pending.take_owner(&proof(id, key), certificate(1)).is_none());
        assert!(!pending.any_expected());
    }

    #[tokio::test]
    async fn words_reach_the_one_who_waits_and_nobody_else() {
        let pending = PendingIntroductions::default();
        let mut ticket = pending.register(IntroductionId::random());
        pending.hear(IntroductionId::random(), HeardReply::Accepted {});
        pending.hear(ticket.id(), HeardReply::Unknown);
        assert!(matches!(ticket.news().await, Some(News::Word(HeardReply::Unknown))));
    }
}
