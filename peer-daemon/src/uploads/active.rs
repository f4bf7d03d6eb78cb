//! The upload in the slot.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    FileId, IntroductionId, MessageKey, Username,
    control::{RequestedFile, Route, Upload, UploadState},
};

use super::{
    Request,
    aside::Aside,
    make_way::{Verdict, Watched},
    places::Kept,
    queue::Taken,
    show,
};
use crate::{
    library::Library,
    peer_stream::{
        limits::Patience,
        progress::{Phase, ServeProgress},
        server::Steering,
    },
    transfer_rate::TransferRate,
};

/// Why a stream was ended from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its place comes back.
    MadeWay(Aside),
    /// Its requester wants it no more.
    TakenBack,
    /// Its username was blocked.
    Unwanted,
}

pub(crate) struct Active {
    id: IntroductionId,
    username: Username,
    /// What it is for, as it was when it began: a folder that changes under way keeps its name.
    items: HashMap<FileId, RequestedFile>,
    first: Option<FileId>,
    message_key: MessageKey,
    progress: Arc<ServeProgress>,
    steering: Steering,
    rate: TransferRate,
    route: Route,
    /// Of its turn, before this stream.
    used_before: Duration,
    /// From its first request for a file on.
    watched: Option<Watched>,
    /// Since when it could have asked for one.
    verified: Option<Instant>,
    /// The first reason is the one that is told.
    ending: Option<Ending>,
    /// Whether its place stays in the queue if it does not finish.
    comes_back: bool,
}

impl Active {
    pub(crate) fn new(taken: &Taken<Request>, steering: Steering, library: &Library) -> Self {
        let files = &taken.request.invitation.files;
        Self {
            id: taken.id,
            username: taken.username.clone(),
            items: files.iter().map(|file| (*file, show::requested(file, library))).collect(),
            first: files.first().copied(),
            message_key: taken.request.invitation.message_key.clone(),
            progress: Arc::default(),
            steering,
            rate: TransferRate::default(),
            route: Route::DialBack,
            used_before: taken.used,
            watched: None,
            verified: None,
            ending: None,
            comes_back: true,
        }
    }

    pub(crate) fn id(&self) -> IntroductionId {
        self.id
    }

    pub(crate) fn username(&self) -> &Username {
        &self.username
    }

    pub(crate) fn is_of(&self, id: IntroductionId, username: &Username) -> bool {
        self.id == id && self.username == *username
    }

    pub(crate) fn progress(&self) -> Arc<ServeProgress> {
        Arc::clone(&self.progress)
    }

    pub(crate) fn steering(&self) -> Steering {
        self.steering.clone()
    }

    /// Whether it proves with this key that the seal was opened.
    pub(crate) fn shows(&self, message_key: &MessageKey) -> bool {
        self.message_key == *message_key
    }

    /// A file was asked for.
    pub(crate) fn is_in_use(&self) -> bool {
        self.progress.phase() >= Phase::Asked
    }

    /// Whether it must make way, seen from what went over the wire.
    pub(crate) fn look(&mut self, now: Instant, others_wait: bool, patience: &Patience) -> Verdict {
        if !self.is_in_use() {
            return self.look_before_use(now, patience);
        }
        let (bytes, limit) = (self.steering.throttle.passed(), self.steering.throttle.rate());
        match &mut self.watched {
            Some(watched) => watched.look(now, bytes, limit, others_wait, patience),
            none => {
                *none = Some(Watched::new(now, bytes, self.used_before));
                Verdict::GoOn
            }
        }
    }

    /// Who asks for no file is as good as silent, however much it says.
    fn look_before_use(&mut self, now: Instant, patience: &Patience) -> Verdict {
        if self.progress.phase() < Phase::Verified {
            return Verdict::GoOn;
        }
        let verified = *self.verified.get_or_insert(now);
        let is_over = now.saturating_duration_since(verified) >= patience.idle;
        if is_over { Verdict::End(Aside::Idle) } else { Verdict::GoOn }
    }

    pub(crate) fn used(&self, now: Instant) -> Duration {
        self.watched.as_ref().map_or(self.used_before, |watched| watched.used(now))
    }

    /// The requester could not be dialled, and is to dial.
    pub(crate) fn await_dial(&mut self) {
        self.route = Route::DialMe;
    }

    /// Ends it with the response that is under way.
    pub(crate) fn wind_up(&mut self) {
        self.ending.get_or_insert(Ending::MadeWay(Aside::TurnOver));
        self.steering.wind_up.cancel();
    }

    pub(crate) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
        if !matches!(ending, Ending::MadeWay(_)) {
            self.comes_back = false;
        }
        self.steering.stop.cancel();
    }

    /// Its requester took the introduction back while it is served: it ends when the requester closes it.
    pub(crate) fn forget(&mut self) {
        self.comes_back = false;
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    pub(crate) fn comes_back(&self) -> bool {
        self.comes_back
    }

    pub(crate) fn kept(&self) -> Option<Kept> {
        self.comes_back.then(|| Kept {
            id: self.id,
            username: self.username.clone(),
            is_approved: true,
            until: None,
        })
    }

    pub(crate) fn view(&mut self, now: Instant) -> Upload {
        self.rate.record(now, self.progress.bytes_sent());
        let current = self.progress.current_item();
        let file = current.map(|current| current.file).or(self.first);
        let item = file.and_then(|file| self.items.get(&file)).cloned();
        let size = item.as_ref().map_or(0, |item| item.size);
        Upload {
            route: self.is_in_use().then_some(self.route),
            // With a folder goes its listing, which is no part of its size.
            sent: current.map_or(0, |current| current.sent).min(size),
            state: if self.is_in_use() { UploadState::Transferring } else { UploadState::Dialling },
            bytes_per_second: self.rate.bytes_per_second(now),
            ..show::upload(self.id, self.username.clone(), item)
        }
    }

    /// The same once it is over.
    pub(crate) fn ended(&mut self, now: Instant, outcome: Result<(), String>) -> Upload {
        let state = if outcome.is_ok() { UploadState::Finished } else { UploadState::Failed };
        Upload { state, bytes_per_second: 0, route: None, reason: outcome.err(), ..self.view(now) }
    }
}
