//! The searches that run just now, as the one list of events that all sessions read: serialised once and
//! shared, not copied into each mailbox.
//!
//! Each search has a number that grows by one; a session remembers the last number that it acknowledged.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use protocol::SearchId;

use super::{batch::BatchBuilder, sessions::SessionId};

#[derive(Debug, Clone)]
pub(crate) struct SearchRing {
    entries: VecDeque<Entry>,
    youngest: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    id: SearchId,
    /// Gets no event of its own search.
    searcher: SessionId,
    json: Arc<str>,
    expires: Instant,
}

impl SearchRing {
    pub(crate) fn new() -> Self {
        Self { entries: VecDeque::new(), youngest: 0 }
    }

    /// The highest number that a cursor can name.
    pub(crate) fn youngest(&self) -> u64 {
        self.youngest
    }

    pub(crate) fn push(&mut self, id: SearchId, searcher: SessionId, json: Arc<str>, expires: Instant) {
        self.youngest += 1;
        self.entries.push_back(Entry { number: self.youngest, id, searcher, json, expires });
    }

    /// Takes a search back: who has not read it yet, never will.
    pub(crate) fn remove(&mut self, id: SearchId) {
        self.entries.retain(|entry| entry.id != id);
        self.shrink();
    }

    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.entries.iter().any(|entry| entry.expires <= now)
    }

    /// Drops searches that are over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.entries.retain(|entry| entry.expires > now);
        self.shrink();
    }

    /// Adds the searches after `acknowledged` that are not the reader's own to a batch as far as they fit, and
    /// tells the number up to which the batch speaks.
    pub(crate) fn read(
        &self,
        acknowledged: u64,
        reader: SessionId,
        now: Instant,
        batch: &mut BatchBuilder,
    ) -> u64 {
        let first = self.entries.partition_point(|entry| entry.number <= acknowledged);
        let mut upto = acknowledged;
        for entry in self.entries.range(first..) {
            if entry.searcher != reader && entry.expires > now && !batch.push(&entry.json) {
                return upto;
            }
            upto = entry.number;
        }
        self.youngest
    }

    /// After a burst of searches the memory is given back.
    fn shrink(&mut self) {
        if self.entries.is_empty() {
            self.entries.shrink_to(0);
        }
    }
}

#[cfg(test)]
#[path = "search_ring_tests.rs"]
mod tests;
