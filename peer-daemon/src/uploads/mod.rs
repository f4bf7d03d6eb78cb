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

pub(crate) mod catalogue;
mod desk;
mod queue;
mod reception;
mod routes;
mod serving;

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
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use self::{
    desk::{Desk, Sent},
    queue::Standing,
    reception::Reception,
};
use crate::{
    blocks::Blocks,
    clock,
    config::{
        live::{Giving, Live},
        values::Switch,
    },
    coordinator_link::CoordinatorLink,
    dialler::Dialler,
    introductions::{identity::Identity, keeper::IdentityKeeper, policy::Policy, seal::OpenError},
    library::Library,
    peer_stream::{listen::PortListener, throttle::Throttle},
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
    pub(crate) live: Live,
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
    throttle: Throttle,
    giving: watch::Receiver<Giving>,
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
        let Parts { link, library, identities, dialler, public_port, live } = parts;
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
            throttle: live.upload.clone(),
            giving: live.giving(),
            desk: Mutex::new(Desk::new()),
            was_dialled: AtomicBool::new(false),
            wake: Notify::new(),
        };
        let uploads = Self { shared: Arc::new(shared) };
        tracker.spawn(send_replies(link, outbox, token.clone()));
        tracker.spawn(uploads.clone().follow_settings(token.clone()));
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
        let library = &self.shared.library;
        if let Some(file) = opened.invitation.files.iter().find(|file| library.find(file).is_none()) {
            let has_changed = library.has_changed(file);
            let reason = if has_changed { DeclineReason::SourceChanged } else { DeclineReason::FileGone };
            return self.reply(id, Reply::Declined { reason });
        }
        let request = Request { invitation: opened.invitation, endpoint, identity: opened.identity };
        let is_approved = self.shared.giving.borrow().policy == Policy::Auto;
        let sent = self.desk().send(clock::now(), id, from, request, is_approved);
        match sent {
            Sent::Next(_) if self.is_on() => self.shared.wake.notify_one(),
            Sent::BeingServed => self.reply(id, Reply::Accepted {}),
            Sent::Next(standing) | Sent::Waits(standing) => {
                self.reply(id, self.queued(standing));
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

    /// Someone was blocked: what was given, or was to be, goes.
    pub(crate) fn turn_away(&self, blocks: &Blocks) {
        self.desk().turn_away(|username| blocks.contain(username));
    }

    /// What waits for a person's word.
    pub(crate) fn requests(&self) -> Vec<IncomingRequest> {
        self.desk().requests(clock::now(), &self.shared.library)
    }

    /// The person agrees. Tells whether such an introduction waits.
    pub(crate) fn accept(&self, id: IntroductionId) -> bool {
        let Some(standing) = self.desk().approve(clock::now(), id) else { return false };
        self.reply(id, self.queued(standing));
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
        let is_on = self.is_on();
        self.desk().list(clock::now(), is_on, &self.shared.library)
    }

    /// The running one.
    pub(crate) fn current(&self) -> Option<Upload> {
        self.desk().current(clock::now(), &self.shared.library)
    }

    /// Sees to it that what the person changes counts at once.
    async fn follow_settings(self, token: CancellationToken) {
        let mut giving = self.shared.giving.clone();
        loop {
            tokio::select! {
                changed = giving.changed() => if changed.is_err() { return },
                () = token.cancelled() => return,
            }
            let now = *giving.borrow_and_update();
            if now.uploads == Switch::Off {
                self.desk().interrupt();
            }
            if now.policy == Policy::Auto {
                self.desk().approve_all();
            }
            self.shared.wake.notify_one();
        }
    }

    fn is_on(&self) -> bool {
        self.shared.giving.borrow().uploads == Switch::On
    }

    fn queued(&self, standing: Standing) -> Reply {
        let reason = match standing {
            Standing { is_approved: false, .. } => QueueReason::Asking,
            _ if !self.is_on() => QueueReason::UploadsOff,
            _ => QueueReason::Busy,
        };
        Reply::Queued { position: standing.position, reason }
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
