//! What the uploads' task and its readers share: the queue, the upload in the slot, and those that ended.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use protocol::{
    FileId, IntroductionId, SafeName, Username,
    control::{IncomingRequest, RequestedFile, Upload, UploadState},
};
use tokio_util::sync::CancellationToken;

use super::{
    Request,
    queue::{Place, Standing, UploadQueue},
};
use crate::{
    library::Library,
    peer_stream::progress::{Phase, ServeProgress},
    transfer_rate::TransferRate,
};

/// Ended uploads that are still listed.
const ENDED_KEPT: usize = 50;

pub(crate) struct Desk {
    queue: UploadQueue<Request>,
    active: Option<Active>,
    ended: VecDeque<Upload>,
}

/// The upload in the slot.
struct Active {
    id: IntroductionId,
    username: Username,
    files: Vec<FileId>,
    progress: Arc<ServeProgress>,
    stop: CancellationToken,
    rate: TransferRate,
    /// It was ended from here, through no fault of its own.
    is_interrupted: bool,
}

/// What became of a sent introduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The slot is free and nobody is before it.
    Next(Standing),
    /// It is being served already.
    BeingServed,
    Waits(Standing),
    Full,
}

/// A place, taken out of the queue to be served.
pub(crate) type Begun = (Place<Request>, Arc<ServeProgress>, CancellationToken);

impl Desk {
    pub(crate) fn new() -> Self {
        Self { queue: UploadQueue::new(), active: None, ended: VecDeque::new() }
    }

    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: IntroductionId,
        username: Username,
        request: Request,
        is_approved: bool,
    ) -> Sent {
        if let Some(active) = &self.active
            && active.id == id
            && active.username == username
        {
            if active.progress.phase() < Phase::Asked {
                return Sent::BeingServed;
            }
            // Whoever has a working stream does not send again: the old one is lost to the requester.
            active.stop.cancel();
        }
        match self.queue.send(now, id, username, request, is_approved) {
            Ok(standing @ Standing { position: 1, is_approved: true }) if self.active.is_none() => {
                Sent::Next(standing)
            }
            Ok(standing) => Sent::Waits(standing),
            Err(_full) => Sent::Full,
        }
    }

    /// Takes the next place and puts it into the slot.
    pub(crate) fn begin_next(&mut self, now: Instant, token: &CancellationToken) -> Option<Begun> {
        let place = self.queue.take_next(now)?;
        let progress = Arc::new(ServeProgress::default());
        let stop = token.child_token();
        self.active = Some(Active {
            id: place.id,
            username: place.username.clone(),
            files: place.request.invitation.files.clone(),
            progress: Arc::clone(&progress),
            stop: stop.clone(),
            rate: TransferRate::default(),
            is_interrupted: false,
        });
        Some((place, progress, stop))
    }

    /// Uploads are off: the one in the slot ends, and goes on when they are on again and it is sent again.
    pub(crate) fn interrupt(&mut self) {
        if let Some(active) = &mut self.active {
            active.is_interrupted = true;
            active.stop.cancel();
        }
    }

    /// This name is not served any more: its places go, and its stream if there is one.
    pub(crate) fn turn_away(&mut self, is_unwanted: impl Fn(&Username) -> bool) {
        self.queue.retain(|place| !is_unwanted(&place.username));
        if let Some(active) = self.active.as_ref().filter(|active| is_unwanted(&active.username)) {
            active.stop.cancel();
        }
    }

    /// Frees the slot.
    pub(crate) fn end(
        &mut self,
        place: Place<Request>,
        deferred: bool,
        outcome: Result<(), String>,
        library: &Library,
    ) {
        let Some(mut active) = self.active.take() else { return };
        if active.is_interrupted || (deferred && !active.stop.is_cancelled()) {
            self.queue.defer(place);
            return;
        }
        let mut upload = active.view(crate::clock::now(), library);
        upload.bytes_per_second = 0;
        upload.state = if outcome.is_ok() { UploadState::Finished } else { UploadState::Failed };
        upload.reason = outcome.err();
        self.ended.truncate(ENDED_KEPT - 1);
        self.ended.push_front(upload);
    }

    /// A person agreed: the place goes on as one of the queue.
    pub(crate) fn approve(&mut self, now: Instant, id: IntroductionId) -> Option<Standing> {
        self.queue.approve(now, id)
    }

    /// A person agreed to all that wait, and to all that come.
    pub(crate) fn approve_all(&mut self) {
        self.queue.approve_all();
    }

    /// A person refused. Tells whether there was a place.
    pub(crate) fn refuse(&mut self, now: Instant, id: IntroductionId) -> bool {
        self.queue.refuse(now, id)
    }

    /// What waits for a person's word.
    pub(crate) fn requests(&self, now: Instant, library: &Library) -> Vec<IncomingRequest> {
        let asking = self.queue.places(now).filter(|place| !place.is_approved());
        asking
            .map(|place| IncomingRequest {
                id: place.id.to_string(),
                username: place.username.clone(),
                files: place.request.invitation.files.iter().map(|file| requested(file, library)).collect(),
            })
            .collect()
    }

    pub(crate) fn withdraw(&mut self, id: IntroductionId) {
        self.queue.withdraw(id);
        // Once a file was asked for, the requester's close tells more than its word, which may overtake it.
        if let Some(active) = &self.active
            && active.id == id
            && active.progress.phase() < Phase::Asked
        {
            active.stop.cancel();
        }
    }

    pub(crate) fn current(&mut self, now: Instant, library: &Library) -> Option<Upload> {
        self.active.as_mut().map(|active| active.view(now, library))
    }

    pub(crate) fn list(&mut self, now: Instant, is_on: bool, library: &Library) -> Vec<Upload> {
        let current = self.active.as_mut().map(|active| active.view(now, library));
        let waiting = self.queue.places(now).zip(1..).map(|(place, position)| Upload {
            position: Some(position),
            reason: Some(waiting_sentence(place.is_approved(), is_on).to_owned()),
            ..upload(place.id, place.username.clone(), place.request.invitation.files.first(), library)
        });
        current.into_iter().chain(waiting).chain(self.ended.iter().cloned()).collect()
    }
}

impl Active {
    fn view(&mut self, now: Instant, library: &Library) -> Upload {
        self.rate.record(now, self.progress.bytes_sent());
        let current = self.progress.current_file();
        let file = current.map(|current| current.file).or_else(|| self.files.first().copied());
        let is_asked = self.progress.phase() >= Phase::Asked;
        Upload {
            sent: current.map_or(0, |current| current.sent),
            state: if is_asked { UploadState::Transferring } else { UploadState::Dialling },
            bytes_per_second: self.rate.bytes_per_second(now),
            ..upload(self.id, self.username.clone(), file.as_ref(), library)
        }
    }
}

fn waiting_sentence(is_approved: bool, is_on: bool) -> &'static str {
    match (is_approved, is_on) {
        (false, _) => "waits for your word: peerctl accept, or decline",
        (true, false) => "uploads are off; to go on: peerctl config set uploads on",
        (true, true) => "the upload slot is taken",
    }
}

fn requested(file: &FileId, library: &Library) -> RequestedFile {
    RequestedFile { name: name_of(file, library), size: file.size, root: file.root }
}

fn name_of(file: &FileId, library: &Library) -> SafeName {
    library.find(file).map_or_else(|| SafeName::sanitise("(no longer shared)"), |shared| shared.name)
}

/// A waiting upload of this file. A file that is not shared any more is shown without its name.
fn upload(id: IntroductionId, username: Username, file: Option<&FileId>, library: &Library) -> Upload {
    Upload {
        id: id.to_string(),
        name: file.map_or_else(|| SafeName::sanitise("(nothing)"), |file| name_of(file, library)),
        size: file.map_or(0, |file| file.size),
        sent: 0,
        state: UploadState::Queued,
        username,
        bytes_per_second: 0,
        position: None,
        reason: None,
    }
}
