//! Uploads: what this peer gives, one stream at a time.
//!
//! ```text
//!  introduction ──▶ opened? known files? ──▶ UploadQueue ──▶ the one slot: dial back, serve ──▶ ended
//!                        │ no                    ▲                              │
//!                        ▼                       └────── deferred, lost ────────┘
//!                silence, or declined
//! ```
//!
//! One task takes places from the queue and serves them one after the other, so that there is one upload at a
//! time by construction. What can't be opened is met with silence, as an absent peer would.

mod desk;
mod queue;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    IntroductionId, Username,
    control::Upload,
    introduction::{DeclineReason, Invitation, InvitationError, QueueReason, Reply, Sealed},
    limits::ROUTE_HOLD,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info};

use self::desk::{Desk, Sent};
use crate::{
    clock,
    coordinator_link::CoordinatorLink,
    dialler::{DialFailed, Dialler},
    introductions::{identity::Identity, keeper::IdentityKeeper, seal::OpenError},
    library::Library,
    peer_stream::server::{Ended, Offer, Phase, ServeError, ServeProgress, Served, serve},
};

/// Replies on their way to the coordinator. More can only be a flood, and what is dropped is answered when the
/// introduction is sent again.
const REPLY_QUEUE: usize = 64;

/// What is needed to serve a place.
#[derive(Debug)]
pub(crate) struct Request {
    invitation: Invitation,
    endpoint: SocketAddr,
    identity: Arc<Identity>,
}

/// The target's side of introductions. Clones share it.
#[derive(Clone)]
pub(crate) struct Uploads {
    shared: Arc<Shared>,
}

struct Shared {
    library: Library,
    identities: IdentityKeeper,
    dialler: Arc<Dialler>,
    replies: mpsc::Sender<(IntroductionId, Reply)>,
    /// A plain mutex: it is held for a look or a change, never over an await.
    desk: Mutex<Desk>,
    /// Rung when the queue has changed.
    wake: Notify,
}

/// How an attempt to serve a place ended.
enum Attempt {
    Served(Served),
    NotDialled(DialFailed),
    NotVerified(ServeError),
    TimedOut,
}

impl Uploads {
    /// Starts the task that serves, and the one that sends replies.
    pub(crate) fn start(
        link: CoordinatorLink,
        library: Library,
        identities: IdentityKeeper,
        dialler: Arc<Dialler>,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Self {
        let (replies, outbox) = mpsc::channel(REPLY_QUEUE);
        let shared = Shared {
            library,
            identities,
            dialler,
            replies,
            desk: Mutex::new(Desk::new()),
            wake: Notify::new(),
        };
        let uploads = Self { shared: Arc::new(shared) };
        tracker.spawn(send_replies(link, outbox, token.clone()));
        tracker.spawn(uploads.clone().serve_in_turn(token));
        uploads
    }

    /// Someone wants files. Answers within the instant, or not at all.
    pub(crate) fn on_introduction(
        &self,
        id: IntroductionId,
        from: Username,
        endpoint: SocketAddr,
        sealed: &Sealed,
    ) {
        let opened = match self.shared.identities.open(sealed, id, &from) {
            Ok(opened) => opened,
            Err(OpenError::Invitation(InvitationError::Version(_))) => {
                return self.reply(id, Reply::Declined { reason: DeclineReason::VersionUnsupported });
            }
            Err(error) => return debug!(%error, "an introduction was passed over"),
        };
        if opened.invitation.files.iter().any(|file| self.shared.library.find(file).is_none()) {
            return self.reply(id, Reply::Declined { reason: DeclineReason::FileGone });
        }
        let request = Request { invitation: opened.invitation, endpoint, identity: opened.identity };
        let sent = self.desk().send(clock::now(), id, from, request);
        match sent {
            Sent::Next => self.shared.wake.notify_one(),
            Sent::BeingServed => self.reply(id, Reply::Accepted {}),
            Sent::Waits(position) => {
                self.reply(id, Reply::Queued { position, reason: QueueReason::Busy });
                self.shared.wake.notify_one();
            }
            Sent::Full => self.reply(id, Reply::Declined { reason: DeclineReason::QueueFull }),
        }
    }

    /// The requester took its introduction back: its place goes, and its stream if there is one.
    pub(crate) fn on_withdrawn(&self, id: IntroductionId) {
        self.desk().withdraw(id);
    }

    /// The running one first, then the queue, then those that ended, newest first.
    pub(crate) fn list(&self) -> Vec<Upload> {
        self.desk().list(clock::now(), &self.shared.library)
    }

    /// The running one.
    pub(crate) fn current(&self) -> Option<Upload> {
        self.desk().current(clock::now(), &self.shared.library)
    }

    async fn serve_in_turn(self, token: CancellationToken) {
        loop {
            let next = self.desk().begin_next(clock::now(), &token);
            let Some((place, progress, stop)) = next else {
                tokio::select! {
                    () = self.shared.wake.notified() => continue,
                    () = token.cancelled() => return,
                }
            };
            self.reply(place.id, Reply::Accepted {});
            let attempt = self.attempt(&place.request, place.id, &progress, stop).await;
            let outcome = attempt.outcome();
            info!(outcome = outcome.as_ref().err().map_or("finished", |reason| reason), "an upload ended");
            let deferred =
                matches!(&attempt, Attempt::Served(served) if !served.asked && served.ended == Ended::Closed);
            self.desk().end(place, deferred, outcome, &self.shared.library);
        }
    }

    /// Dials back and serves. The dial and the handshake have their own limits; the hold bounds them together.
    async fn attempt(
        &self,
        request: &Request,
        id: IntroductionId,
        progress: &Arc<ServeProgress>,
        stop: CancellationToken,
    ) -> Attempt {
        let (stream, ticket) = match self.shared.dialler.dial(request.endpoint).await {
            Ok(dialled) => dialled,
            Err(error) => return Attempt::NotDialled(error),
        };
        let offer = Offer {
            id,
            message_key: request.invitation.message_key.clone(),
            requester_certificate: request.invitation.certificate_sha256,
            files: request.invitation.files.clone(),
        };
        let shelf = Arc::new(self.shared.library.clone());
        let serving = serve(stream, &request.identity, offer, shelf, Arc::clone(progress), stop);
        tokio::pin!(serving);
        let verified = tokio::time::timeout(ROUTE_HOLD, async {
            tokio::select! {
                () = progress.reached(Phase::Verified) => None,
                ended = &mut serving => Some(ended),
            }
        });
        let ended = match verified.await {
            Err(_elapsed) => return Attempt::TimedOut,
            Ok(Some(Err(error))) => return Attempt::NotVerified(error),
            Ok(Some(Ok(served))) => Ok(served),
            Ok(None) => {
                self.shared.dialler.established(ticket);
                serving.await
            }
        };
        ended.map_or_else(Attempt::NotVerified, Attempt::Served)
    }

    fn reply(&self, id: IntroductionId, reply: Reply) {
        if self.shared.replies.try_send((id, reply)).is_err() {
            debug!("a reply was dropped; the introduction will be sent again");
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// `Err` tells the person why nothing, or not all, was sent.
    fn outcome(&self) -> Result<(), String> {
        match self {
            Self::Served(Served { ended: Ended::Closed, .. }) => Ok(()),
            Self::Served(served) => Err(match served.ended {
                Ended::Closed => "closed by the requester",
                Ended::Idle => "the requester asked for nothing for 30 seconds",
                Ended::Stopped => "stopped",
                Ended::Lost => "the stream broke off",
                Ended::SourceChanged => "the file changed while it was sent",
            }
            .to_owned()),
            Self::NotDialled(error) => Err(error.to_string()),
            Self::NotVerified(error) => Err(error.to_string()),
            Self::TimedOut => Err("the requester did not take the stream in time".to_owned()),
        }
    }
}

/// Sends replies one after the other. One that can't be sent is dropped: a requester that still waits sends
/// its introduction again.
async fn send_replies(
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
        if let Err(error) = link.reply(id, &reply).await {
            debug!(%error, "a reply was not taken");
        }
    }
}
