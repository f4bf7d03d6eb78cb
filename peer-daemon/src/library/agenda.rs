//! What is to be scanned, and what of it is done: the pure half of the scan loop.
//!
//! Whoever wants something scanned puts it here and gets a ticket; what is asked while a scan runs is for the
//! next one. A ticket is settled when a scan that began after it was given has ended.

use std::collections::BTreeSet;

use super::path_guard::Location;

/// Single paths that wait; with more, one walk over everything is cheaper than keeping them.
const LOCATIONS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Agenda {
    next: Job,
    /// The last ticket given, and the last one settled.
    asked: u64,
    settled: u64,
    stopped: bool,
}

/// What one scan is to do.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// Whether to walk all shares.
    pub(super) everything: bool,
    /// Paths whose entries are in doubt: they are looked at anew even if they look unchanged.
    pub(super) locations: BTreeSet<Location>,
}

impl Job {
    fn is_empty(&self) -> bool {
        !self.everything && self.locations.is_empty()
    }
}

/// The number of a request; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[cfg(test)]
impl Ticket {
    /// How much was asked between two tickets.
    pub(super) fn since(self, earlier: Self) -> u64 {
        self.0 - earlier.0
    }
}

impl Agenda {
    pub(super) fn ask_everything(&mut self) {
        self.next.everything = true;
        self.asked += 1;
    }

    pub(super) fn ask(&mut self, locations: impl IntoIterator<Item = Location>) {
        for location in locations {
            if self.next.locations.len() < LOCATIONS_MAX {
                self.next.locations.insert(location);
            } else {
                self.next.everything = true;
            }
        }
        self.asked += 1;
    }

    pub(super) fn is_due(&self) -> bool {
        !self.next.is_empty()
    }

    /// The next scan's job, and the ticket that it settles.
    pub(super) fn take(&mut self) -> (Job, Ticket) {
        (std::mem::take(&mut self.next), self.last())
    }

    pub(super) fn settle(&mut self, ticket: Ticket) {
        self.settled = ticket.0;
    }

    /// Nothing will be scanned any more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn last(&self) -> Ticket {
        Ticket(self.asked)
    }

    pub(super) fn is_settled(&self, ticket: Ticket) -> bool {
        self.stopped || self.settled >= ticket.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Agenda, LOCATIONS_MAX};
    use crate::library::path_guard::Location;

    fn location(number: usize) -> Location {
        Location { share: Path::new("/share").into(), path: number.to_string().into() }
    }

    #[test]
    fn what_is_asked_during_a_scan_is_for_the_next_one() {
        let mut agenda = Agenda::default();
        assert!(agenda.is_settled(agenda.last()) && !agenda.is_due());
        agenda.ask_everything();
        let (job, first) = agenda.take();
        assert!(job.everything && !agenda.is_due());
        agenda.ask([location(1)]);
        let second = agenda.last();
        agenda.settle(first);
        assert!(agenda.is_settled(first) && !agenda.is_settled(second) && agenda.is_due());
        let (job, ticket) = agenda.take();
        assert!(!job.everything && job.locations.contains(&location(1)));
        agenda.settle(ticket);
        assert!(agenda.is_settled(second));
    }

    #[test]
    fn too_many_paths_become_one_walk() {
        let mut agenda = Agenda::default();
        agenda.ask((0..LOCATIONS_MAX).map(location));
        assert!(!agenda.next.everything);
        agenda.ask((0..LOCATIONS_MAX + 5).map(location));
        let (job, _) = agenda.take();
        assert!(job.everything && job.locations.len() == LOCATIONS_MAX);
    }

    #[test]
    fn nobody_waits_for_a_library_that_stopped() {
        let mut agenda = Agenda::default();
        agenda.ask_everything();
        agenda.stop();
        assert!(agenda.is_settled(agenda.last()));
    }
}
