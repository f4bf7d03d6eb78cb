//! Uploads: what this peer gives, one stream at a time.
//!
//! ```text
//!  introduction ──▶ opened? known files? ──▶ UploadQueue ──▶ the one slot: dial back, serve ──▶ ended
//!                        │ no                    ▲                              │
//!                        ▼                       └─ set aside: deferred, lost, ─┘
//!                silence, or declined               slow, had its time
//! ```
//!
//! One task takes places from the queue and serves them one after the other, so that there is one upload at a
//! time by construction. What can't be opened is met with silence, as an absent peer would.

mod active;
mod aside;
mod asking;
pub(crate) mod catalogue;
mod desk;
mod make_way;
mod outbox;
mod places;
mod queue;
mod reception;
mod routes;
mod serving;
mod show;

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
    outbox::REPLY_QUEUE,
    places::{Kept, Moment, PlaceStore},
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
    peer_stream::{limits::Patience, listen::PortListener, throttle::Throttle},
    state::{State, StateError},
};

/// What is needed to serve a place.
#[derive(Debug)]
pub(crate) struct Request {
    invitation: Invitation,
    endpoint: SocketAddr,
    identity: Arc<Identity>,
    /// What it takes to list it with all its files.
    listed_bytes: usize,
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
    pub(crate) patience: Patience,
    pub(crate) state: State,
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
    patience: Patience,
    /// A plain mutex: it is held for a look or a change, never over an await.
    desk: Mutex<Desk>,
    /// A requester has dialled this peer, and its certificate was right.
    was_dialled: AtomicBool,
    /// Rung when there may be somebody to serve.
    wake: Notify,
    store: PlaceStore,
    /// Rung when places have changed.
    places_changed: Notify,
    /// What is on the disk; held while it is written, so that an older state never comes after a newer one.
    saved: tokio::sync::Mutex<Option<Vec<Kept>>>,
}

impl Uploads {
    /// Takes up the places of before a restart; starts the task that serves, those that tell and keep, and the
    /// upload port.
    pub(crate) fn start(
        parts: Parts,
        listener: PortListener,
        tracker: &TaskTracker,
        token: CancellationToken,
    ) -> Result<Self, StateError> {
        let Parts { link, library, identities, dialler, public_port, live, patience, state } = parts;
        let store = PlaceStore::new(state);
        let mut desk = Desk::new();
        for (kept, until) in store.load(Moment::read())? {
            desk.restore(&kept, until);
        }
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
            patience,
            desk: Mutex::new(desk),
            was_dialled: AtomicBool::new(false),
            wake: Notify::new(),
            store,
            places_changed: Notify::new(),
            saved: tokio::sync::Mutex::default(),
        };
        let uploads = Self { shared: Arc::new(shared) };
        tracker.spawn(uploads.clone().send_replies(link, outbox, token.clone()));
        tracker.spawn(uploads.clone().keep_places(token.clone()));
        tracker.spawn(uploads.clone().follow_settings(token.clone()));
        tracker.spawn(uploads.clone().serve_in_turn(token));
        Ok(uploads)
    }

    /// Someone wants files. Answers within the instant, or not at all.
    pub(crate) fn on_introduction(
        &self,
        id: IntroductionId,
        from: &Username,
        endpoint: SocketAddr,
        sealed: &Sealed,
    ) {
        let opened = match self.shared.identities.open(sealed, id, from) {
            Ok(opened) => opened,
            Err(OpenError::Invitation(InvitationError::Version(_))) => {
                return self.reply(id, Reply::declined(DeclineReason::VersionUnsupported));
            }
            Err(error) => return debug!(%error, "an introduction was passed over"),
        };
        let library = &self.shared.library;
        if let Some(file) = opened.invitation.files.iter().find(|file| library.find(file).is_none()) {
            let has_changed = library.has_changed(file);
            let reason = if has_changed { DeclineReason::SourceChanged } else { DeclineReason::FileGone };
            self.change(|desk| desk.refuse(id, Some(from)));
            return self.reply(id, Reply::declined(reason));
        }
        let is_approved = self.shared.giving.borrow().policy == Policy::Auto;
        let files = &opened.invitation.files;
        let request = Request {
            listed_bytes: if is_approved { 0 } else { show::listed_bytes(files, library) },
            invitation: opened.invitation,
            endpoint,
            identity: opened.identity,
        };
        let sent = self.change(|desk| desk.send(clock::now(), id, from, request, is_approved));
        match sent {
            Sent::Next(_) if self.is_on() => self.shared.wake.notify_one(),
            Sent::BeingServed => self.reply(id, Reply::Accepted {}),
            Sent::Next(standing) | Sent::Waits(standing) => {
                self.reply(id, self.queued(standing));
                self.shared.wake.notify_one();
            }
            Sent::Full => {
                debug!("an introduction was declined: the queue is full, or what waits for a word");
                self.reply(id, Reply::declined(DeclineReason::QueueFull));
            }
        }
    }

    /// The requester took its introduction back: its place goes, and its stream if there is one.
    pub(crate) fn on_withdrawn(&self, id: IntroductionId) {
        self.change(|desk| desk.withdraw(id));
    }

    /// Whether a requester has dialled this peer since the start.
    pub(crate) fn was_dialled(&self) -> bool {
        self.shared.was_dialled.load(Ordering::Relaxed)
    }

    /// Someone was blocked: what was given, or was to be, goes.
    pub(crate) fn turn_away(&self, blocks: &Blocks) {
        self.change(|desk| desk.turn_away(|username| blocks.contain(username)));
    }

    /// What waits for a person's word.
    pub(crate) fn requests(&self) -> Vec<IncomingRequest> {
        self.desk().requests(clock::now(), &self.shared.library)
    }

    /// The person agrees. Tells whether such an introduction waits.
    pub(crate) fn accept(&self, id: IntroductionId) -> bool {
        let Some(standing) = self.change(|desk| desk.approve(clock::now(), id)) else { return false };
        self.reply(id, self.queued(standing));
        self.shared.wake.notify_one();
        true
    }

    /// The person refuses. Tells whether such an introduction waits.
    pub(crate) fn decline(&self, id: IntroductionId) -> bool {
        let was_there = self.change(|desk| desk.refuse(id, None));
        if was_there {
            self.reply(id, Reply::declined(DeclineReason::Refused));
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
        self.desk().current(clock::now())
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
                self.change(Desk::interrupt);
            }
            if now.policy == Policy::Auto {
                self.change(Desk::approve_all);
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

    /// A change of places, which is kept.
    fn change<T>(&self, change: impl FnOnce(&mut Desk) -> T) -> T {
        let outcome = change(&mut self.desk());
        self.shared.places_changed.notify_one();
        outcome
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
