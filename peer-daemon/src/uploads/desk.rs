//! What the uploads' task and its readers share: the queue, the upload in the slot, and those that ended.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    FileId, IntroductionId, Username,
    control::{IncomingRequest, RequestedFile, Upload},
};

use super::{
    Request,
    active::{Active, Ending},
    aside::Aside,
    asking,
    make_way::Verdict,
    places::Kept,
    queue::{Place, Standing, Taken, UploadQueue},
    show,
};
use crate::{
    library::Library,
    peer_stream::{limits::Patience, progress::ServeProgress, server::Steering},
};

/// Ended uploads that are still listed.
const ENDED_KEPT: usize = 50;

pub(crate) struct Desk {
    queue: UploadQueue<Request>,
    active: Option<Active>,
    ended: VecDeque<Upload>,
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
pub(crate) type Begun = (Taken<Request>, Arc<ServeProgress>, Steering);

/// How serving a place ended.
pub(crate) struct Served {
    /// Why it comes back, if it does.
    pub(crate) aside: Option<Aside>,
    /// What is listed of it: nothing where it goes on, otherwise that it is finished, or why it is not.
    pub(crate) listed: Option<Result<(), String>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { queue: UploadQueue::new(), active: None, ended: VecDeque::new() }
    }

    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: IntroductionId,
        username: &Username,
        request: Request,
        is_approved: bool,
    ) -> Sent {
        if let Some(active) = self.active.as_mut().filter(|active| active.is_of(id, username)) {
            // A key that was shown is not sent again. So this was sent before, and came twice or late.
            if active.shows(&request.invitation.message_key) {
                return Sent::BeingServed;
            }
            // Whoever has a working stream asks for no other: the old one is lost to the requester. And one that
            // was started anew has another key: what shows the old one would be refused.
            active.end(Ending::MadeWay(Aside::Lost));
        }
        if !is_approved && !self.has_room_to_ask(now, id, username, &request) {
            return Sent::Full;
        }
        match self.queue.send(now, id, username, request, is_approved) {
            Ok(standing @ Standing { position: 1, is_approved: true }) if self.active.is_none() => {
                Sent::Next(standing)
            }
            Ok(standing) => Sent::Waits(standing),
            Err(_full) => Sent::Full,
        }
    }

    /// Whether a person can be asked about this, too. What it is sent again for, or was approved, is not in its way.
    fn has_room_to_ask(
        &self,
        now: Instant,
        id: IntroductionId,
        username: &Username,
        request: &Request,
    ) -> bool {
        let is_it = |of: &Username, place: &Place<Request>| of == username && place.id == id;
        if self.queue.places(now).any(|(of, place)| is_it(of, place) && place.is_approved) {
            return true;
        }
        let others = self.queue.places(now).filter(|(of, place)| !place.is_approved && !is_it(of, place));
        let listed = others.map(|(of, place)| {
            (of == username, place.request.as_ref().map_or(0, |request| request.listed_bytes))
        });
        asking::has_room(request.listed_bytes, listed)
    }

    /// Takes the next place and puts it into the slot.
    pub(crate) fn begin_next(
        &mut self,
        now: Instant,
        steering: Steering,
        library: &Library,
    ) -> Option<Begun> {
        let taken = self.queue.take_next(now)?;
        let active = Active::new(&taken, steering, library);
        let (progress, steering) = (active.progress(), active.steering());
        self.active = Some(active);
        Some((taken, progress, steering))
    }

    /// Has the stream in the slot make way, if it must.
    pub(crate) fn look(&mut self, now: Instant, patience: &Patience) {
        let Some(active) = &mut self.active else { return };
        let others_wait = self.queue.others_wait(now, active.username());
        match active.look(now, others_wait, patience) {
            Verdict::GoOn => {}
            Verdict::WindUp => active.wind_up(),
            Verdict::End(aside) => active.end(Ending::MadeWay(aside)),
        }
    }

    /// Why the stream in the slot was ended from here, if it was, and what it has used of its turn.
    pub(crate) fn ending(&self, now: Instant) -> (Option<Ending>, Duration) {
        self.active.as_ref().map_or((None, Duration::ZERO), |active| (active.ending(), active.used(now)))
    }

    /// Frees the slot.
    pub(crate) fn settle(&mut self, now: Instant, taken: Taken<Request>, served: Served) {
        let Some(mut active) = self.active.take() else { return };
        let aside = served.aside.filter(|_| active.comes_back());
        self.queue.settle(now, taken, aside, active.used(now));
        if let Some(outcome) = served.listed {
            self.ended.truncate(ENDED_KEPT - 1);
            self.ended.push_front(active.ended(now, outcome));
        }
    }

    /// Uploads are off: the one in the slot ends, and goes on when they are on again and it is sent again.
    pub(crate) fn interrupt(&mut self) {
        if let Some(active) = &mut self.active {
            active.end(Ending::MadeWay(Aside::Off));
        }
    }

    /// Those names are not served any more: their places go, and their stream if there is one.
    pub(crate) fn turn_away(&mut self, is_unwanted: impl Fn(&Username) -> bool) {
        self.queue.retain(|username, _| !is_unwanted(username));
        if let Some(active) = self.active.as_mut().filter(|active| is_unwanted(active.username())) {
            active.end(Ending::Unwanted);
        }
    }

    /// The requester could not be dialled, and is to dial.
    pub(crate) fn await_dial(&mut self) {
        if let Some(active) = &mut self.active {
            active.await_dial();
        }
    }

    /// A person agreed: the place goes on as one of the queue.
    pub(crate) fn approve(&mut self, now: Instant, id: IntroductionId) -> Option<Standing> {
        self.queue.approve(now, id)
    }

    /// A person agreed to all that wait, and to all that come.
    pub(crate) fn approve_all(&mut self) {
        self.queue.approve_all();
    }

    /// Its requester took an introduction back.
    pub(crate) fn withdraw(&mut self, id: IntroductionId) {
        self.queue.retain(|_, place| place.id != id);
        // Once a file was asked for, the requester's close tells more than its word, which may overtake it.
        if let Some(active) = self.active.as_mut().filter(|active| active.id() == id) {
            if active.is_in_use() { active.forget() } else { active.end(Ending::TakenBack) }
        }
    }

    /// A person refused a place, or its files are gone. Tells whether it was there.
    pub(crate) fn refuse(&mut self, id: IntroductionId, of: Option<&Username>) -> bool {
        self.queue.retain(|username, place| place.id != id || of.is_some_and(|of| of != username))
    }

    /// What is to be kept over a crash: the place in the slot, then those that wait.
    pub(crate) fn kept(&self, now: Instant) -> Vec<Kept> {
        let active = self.active.as_ref().and_then(Active::kept);
        let waiting = self.queue.places(now).map(|(username, place)| Kept {
            id: place.id,
            username: username.clone(),
            is_approved: place.is_approved,
            until: Some(place.kept_until),
        });
        active.into_iter().chain(waiting).collect()
    }

    /// Takes up what an earlier process kept.
    pub(crate) fn restore(&mut self, kept: &Kept, kept_until: Instant) {
        // A queue that has become smaller than it was drops its end.
        let _full = self.queue.restore(kept.id, &kept.username, kept.is_approved, kept_until);
    }

    /// Drops what lapsed, which nobody may have asked for since.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.queue.expire(now);
    }

    pub(crate) fn next_lapse(&self) -> Option<Instant> {
        self.queue.next_lapse()
    }

    /// What waits for a person's word.
    pub(crate) fn requests(&self, now: Instant, library: &Library) -> Vec<IncomingRequest> {
        let asking = self.queue.places(now).filter(|(_, place)| !place.is_approved);
        asking
            .map(|(username, place)| IncomingRequest {
                id: place.id.to_string(),
                username: username.clone(),
                files: files_of(place.request.as_ref())
                    .iter()
                    .map(|file| show::requested(file, library))
                    .collect(),
            })
            .collect()
    }

    pub(crate) fn current(&mut self, now: Instant) -> Option<Upload> {
        self.active.as_mut().map(|active| active.view(now))
    }

    pub(crate) fn list(&mut self, now: Instant, is_on: bool, library: &Library) -> Vec<Upload> {
        let current = self.current(now);
        let waiting = self.queue.places(now).zip(1..).map(|((username, place), position)| Upload {
            position: Some(position),
            reason: Some(show::waiting_sentence(place.is_approved, place.aside, is_on).to_owned()),
            ..show::upload(place.id, username.clone(), first_of(place.request.as_ref(), library))
        });
        current.into_iter().chain(waiting).chain(self.ended.iter().cloned()).collect()
    }
}

fn first_of(request: Option<&Request>, library: &Library) -> Option<RequestedFile> {
    files_of(request).first().map(|file| show::requested(file, library))
}

fn files_of(request: Option<&Request>) -> &[FileId] {
    request.map_or(&[], |request| &request.invitation.files)
}

#[cfg(test)]
mod tests;
