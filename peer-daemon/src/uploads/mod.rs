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
mod reception;
mod routes;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use protocol::{
    IntroductionId, Username,
    control::{IncomingRequest, Upload},
    introduction::{DeclineReason, Invitation, InvitationError, QueueReason, Reply, Sealed},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info};

use self::{
    desk::{Desk, Sent},
    queue::{Place, Standing},
    reception::Reception,
    routes::{NoStream, Route},
};
use crate::{
    clock,
    coordinator_link::CoordinatorLink,
    dialler::Dialler,
    introductions::{identity::Identity, keeper::IdentityKeeper, policy::Policy, seal::OpenError},
    library::Library,
    peer_stream::{
        listen::PortListener,
        progress::ServeProgress,
        server::{Ended, Offer, Served},
    },
    transfer_rate::watched,
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

/// What uploads need of the rest of the daemon.
pub(crate) struct Parts {
    pub(crate) link: CoordinatorLink,
    pub(crate) library: Library,
    pub(crate) identities: IdentityKeeper,
    pub(crate) dialler: Arc<Dialler>,
    /// The upload port as others reach it.
    pub(crate) public_port: u16,
    pub(crate) policy: Policy,
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
    reception: Reception,
    /// The upload port as others reach it.
    public_port: u16,
    policy: Policy,
    /// A plain mutex: it is held for a look or a change, never over an await.
    desk: Mutex<Desk>,
    /// A requester has dialled this peer, and its certificate was right.
    was_dialled: AtomicBool,
    /// Rung when the queue has changed.
    wake: Notify,
}

impl Uploads {
    /// Starts the task that serves, the one that sends replies, and the upload port.
    pub(crate) fn start(
        parts: Parts,
        listener: PortListener,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Self {
        let Parts { link, library, identities, dialler, public_port, policy } = parts;
        let (replies, outbox) = mpsc::channel(REPLY_QUEUE);
        let reception = Reception::default();
        tracker.spawn(reception.clone().accept(listener, token.clone()));
        let shared = Shared {
            library,
            identities,
            dialler,
            replies,
            reception,
            public_port,
            policy,
            desk: Mutex::new(Desk::new()),
            was_dialled: AtomicBool::new(false),
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
        let is_approved = self.shared.policy == Policy::Auto;
        let sent = self.desk().send(clock::now(), id, from, request, is_approved);
        match sent {
            Sent::Next => self.shared.wake.notify_one(),
            Sent::BeingServed => self.reply(id, Reply::Accepted {}),
            Sent::Waits(standing) => {
                self.reply(id, queued(standing));
                self.shared.wake.notify_one();
            }
            Sent::Full => self.reply(id, Reply::Declined { reason: DeclineReason::QueueFull }),
        }
    }

    /// The requester took its introduction back: its place goes, and its stream if there is one.
    pub(crate) fn on_withdrawn(&self, id: IntroductionId) {
        self.desk().withdraw(id);
    }

    /// Whether a requester has dialled this peer since the start.
    pub(crate) fn was_dialled(&self) -> bool {
        self.shared.was_dialled.load(Ordering::Relaxed)
    }

    /// What waits for a person's word.
    pub(crate) fn requests(&self) -> Vec<IncomingRequest> {
        self.desk().requests(clock::now(), &self.shared.library)
    }

    /// The person agrees. Tells whether such an introduction waits.
    pub(crate) fn accept(&self, id: IntroductionId) -> bool {
        let Some(standing) = self.desk().approve(clock::now(), id) else { return false };
        self.reply(id, queued(standing));
        self.shared.wake.notify_one();
        true
    }

    /// The person refuses. Tells whether such an introduction waits.
    pub(crate) fn decline(&self, id: IntroductionId) -> bool {
        let was_there = self.desk().refuse(clock::now(), id);
        if was_there {
            self.reply(id, Reply::Declined { reason: DeclineReason::Refused });
        }
        was_there
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
            let serving = self.serve(&place, &progress, &stop);
            let served = watched(serving, || drop(self.current())).await;
            let is_deferred = matches!(&served, Ok(served) if !served.asked && served.ended == Ended::Closed);
            let outcome = outcome(served);
            info!(outcome = outcome.as_ref().err().map_or("finished", String::as_str), "an upload ended");
            self.desk().end(place, is_deferred, outcome, &self.shared.library);
        }
    }

    /// Tells the requester, dials it, and where that fails asks to be dialled.
    async fn serve(
        &self,
        place: &Place<Request>,
        progress: &Arc<ServeProgress>,
        stop: &CancellationToken,
    ) -> Result<Served, NoStream> {
        let Request { invitation, endpoint, identity } = &place.request;
        let route = Route {
            dialler: &self.shared.dialler,
            library: &self.shared.library,
            identity,
            offer: Offer {
                id: place.id,
                message_key: invitation.message_key.clone(),
                requester_certificate: invitation.certificate_sha256,
                files: invitation.files.clone(),
            },
            progress,
            stop,
        };
        self.reply(place.id, Reply::Accepted {});
        match route.dial_back(*endpoint).await {
            Ok(served) => Ok(served),
            Err(_) if stop.is_cancelled() => Err(NoStream::Stopped),
            Err(reason) => {
                debug!(%reason, "the dial-back failed");
                let arriving = route.be_dialled(&self.shared.reception);
                self.reply(place.id, Reply::DialMe { port: self.shared.public_port });
                let served = arriving.await.map_err(|_| reason)?;
                self.shared.was_dialled.store(true, Ordering::Relaxed);
                Ok(served)
            }
        }
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

fn queued(standing: Standing) -> Reply {
    let reason = if standing.is_approved { QueueReason::Busy } else { QueueReason::Asking };
    Reply::Queued { position: standing.position, reason }
}

/// `Err` tells the person why nothing, or not all, was sent.
fn outcome(served: Result<Served, NoStream>) -> Result<(), String> {
    let reason = match served {
        Ok(Served { ended: Ended::Closed, .. }) => return Ok(()),
        Ok(Served { ended: Ended::Idle, .. }) => "the requester asked for nothing for 30 seconds",
        Ok(Served { ended: Ended::Stopped, .. }) => "stopped",
        Ok(Served { ended: Ended::Lost, .. }) => "the stream broke off",
        Ok(Served { ended: Ended::SourceChanged, .. }) => "the file changed while it was sent",
        Err(reason) => return Err(reason.to_string()),
    };
    Err(reason.to_owned())
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
