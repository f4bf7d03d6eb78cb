//! What the uploads tell and keep: replies to requesters, and places on the disk. A place that was told is kept.

use protocol::{IntroductionId, introduction::Reply};
use tokio::{sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Uploads, places::Moment};
use crate::{clock, coordinator_link::CoordinatorLink};

/// Replies on their way to the coordinator. More can only be a flood, and what is dropped is answered when the
/// introduction is sent again.
pub(super) const REPLY_QUEUE: usize = 64;

impl Uploads {
    pub(super) fn reply(&self, id: IntroductionId, reply: Reply) {
        if self.shared.replies.try_send((id, reply)).is_err() {
            debug!("a reply was dropped; the introduction will be sent again");
        }
    }

    /// Sends replies one after the other. One that can't be sent is dropped: a requester that still waits sends
    /// its introduction again.
    pub(super) async fn send_replies(
        self,
        link: CoordinatorLink,
        mut outbox: mpsc::Receiver<(IntroductionId, Reply)>,
        token: CancellationToken,
    ) {
        loop {
            let next = tokio::select! {
                next = outbox.recv() => next,
                () = token.cancelled() => None,
            };
            let Some((id, reply)) = next else { return };
            self.save_places().await;
            if let Err(error) = link.reply(id, &reply).await {
                debug!(%error, "a reply was not taken");
            }
        }
    }

    /// Saves places as they change and as they lapse, until the daemon ends, and then once more.
    pub(super) async fn keep_places(self, token: CancellationToken) {
        while !token.is_cancelled() {
            self.save_places().await;
            let next_lapse = self.desk().next_lapse();
            let lapse = async {
                match next_lapse {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.places_changed.notified() => {}
                () = lapse => self.desk().expire(clock::now()),
                () = token.cancelled() => {}
            }
        }
        self.save_places().await;
    }

    async fn save_places(&self) {
        let mut saved = self.shared.saved.lock().await;
        let moment = Moment::read();
        let places = self.desk().kept(moment.now);
        if saved.as_ref() == Some(&places) {
            return;
        }
        let (store, kept) = (self.shared.store.clone(), places.clone());
        match self.shared.store.state().call(move |_| store.save(&kept, moment)).await {
            Ok(()) => *saved = Some(places),
            Err(error) => warn!(%error, "the upload queue could not be saved"),
        }
    }
}
