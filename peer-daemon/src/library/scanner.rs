//! One scan: from what lies in the shares to the next index, hashing only what is not known.
//!
//! ```text
//! walk ──▶ stamp as in the index before? ─ yes ─▶ its entry stays
//!                     │ no
//!          stamp in the hash cache? ────── yes ─▶ a new entry
//!                     │ no                                    ── publish: what is known is searchable ──
//!          hash, one file at a time ─── done ───▶ a new entry ── publish, now and then and at the end ──
//!                     └─ changed meanwhile ─────▶ tried again later
//! ```
//!
//! An entry in doubt is never offered: the first publication leaves out what is about to be hashed again.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    agenda::Job,
    hasher::{self, HashError},
    index::{Entry, Index},
    path_guard::{self, GuardError, Location},
    walker::{self, Found},
};
use crate::{clock, state::StateError};

/// A publication rebuilds the index, so between two of them passes this many times what the last one took:
/// a small library shows each file at once, and with a large one the scan still gets on.
const PUBLISH_PAUSE_FACTOR: u32 = 20;
/// Before hashing a file that takes longer than a moment, what is ready is published.
const LARGE_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// How a scan ended.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) hashed_files: u64,
    pub(super) hashed_bytes: u64,
    pub(super) unreadable: u64,
    pub(super) beyond_limits: u64,
    /// Files that changed while they were hashed: to be tried again later.
    pub(super) restless: BTreeSet<Location>,
}

/// Why a scan ended early. What was found until then is published.
enum Stop {
    Cancelled,
    /// Going on would hash files in vain: nothing can be recorded.
    State(StateError),
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// Scans, blocking, until done or cancelled.
pub(super) fn scan(shared: &Shared, job: &Job, token: &CancellationToken) -> Report {
    let mut scan = Scan {
        shared,
        job,
        token,
        before: shared.index(),
        entries: Vec::new(),
        report: Report::default(),
        published: 0,
        not_before: clock::now(),
    };
    if let Err(Stop::State(error)) = scan.run() {
        tracing::warn!(%error, "scanning the shares was given up until the next time");
    }
    scan.report
}

struct Scan<'a> {
    shared: &'a Shared,
    job: &'a Job,
    token: &'a CancellationToken,
    before: Arc<Index>,
    /// Of the next index, so far.
    entries: Vec<Arc<Entry>>,
    report: Report,
    /// How many of the entries were published.
    published: usize,
    /// When the next publication is worth its price.
    not_before: Instant,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        let found = if self.job.everything { self.walk()? } else { self.look() };
        let unknown = self.take_known(found)?;
        self.publish(&unknown);
        let mut unread = &unknown[..];
        let hashed = loop {
            let [next, rest @ ..] = unread else { break Ok(()) };
            let is_time = next.stamp.size >= LARGE_FILE_BYTES || clock::now() >= self.not_before;
            if is_time && self.entries.len() > self.published {
                self.publish(unread);
            }
            if let Err(stop) = self.hash(next.location.clone()) {
                break Err(stop);
            }
            unread = rest;
        };
        self.publish(unread);
        hashed?;
        if self.job.everything {
            self.shared.cache.prune(self.entries.iter().map(|entry| entry.stamp))?;
        }
        Ok(())
    }

    fn walk(&mut self) -> Result<Vec<Found>, Stop> {
        let mut walked =
            walker::walk(&self.shared.folders(), self.token).map_err(|walker::Cancelled| Stop::Cancelled)?;
        self.report.unreadable += walked.unreadable;
        self.report.beyond_limits += walked.beyond_limits;
        // In the index's order: each publication then sorts what is nearly sorted.
        walked.found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(walked.found)
    }

    /// Finds only the job's locations; the entries of all others stay.
    fn look(&mut self) -> Vec<Found> {
        let others =
            self.before.entries().iter().filter(|entry| !self.job.locations.contains(&entry.location));
        self.entries.extend(others.cloned());
        let mut found = Vec::new();
        for location in &self.job.locations {
            match path_guard::open(location) {
                Ok((_, stamp)) => found.push(Found { location: location.clone(), stamp }),
                Err(GuardError::Gone | GuardError::NotRegular) => {}
                Err(GuardError::Io(_)) => self.report.unreadable += 1,
            }
        }
        found
    }

    /// Takes over what needs no hashing and returns the rest.
    fn take_known(&mut self, found: Vec<Found>) -> Result<Vec<Found>, Stop> {
        let mut unknown = Vec::new();
        for found in found {
            if self.token.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            let in_doubt = self.job.locations.contains(&found.location);
            let before =
                self.before.at(&found.location).filter(|entry| !in_doubt && entry.stamp == found.stamp);
            if let Some(entry) = before {
                self.entries.push(Arc::clone(entry));
            } else if let Some(file) = self.shared.cache.file(&found.stamp)? {
                self.push(Entry::new(found.location, found.stamp, file));
            } else {
                unknown.push(found);
            }
        }
        Ok(unknown)
    }

    fn hash(&mut self, location: Location) -> Result<(), Stop> {
        // Whoever shared too much by mistake takes it out in the middle: then nothing more of it is read.
        let is_over = || self.token.is_cancelled() || !self.shared.offers(&location);
        if is_over() {
            return self.go_on();
        }
        // The file may be another one by now; the stamp of what is open is the one that counts.
        let hashed = match path_guard::open(&location) {
            Ok((file, stamp)) => hasher::hash(&file, &stamp, is_over).map(|hashed| (stamp, hashed)),
            Err(GuardError::Gone | GuardError::NotRegular) => return Ok(()),
            Err(GuardError::Io(error)) => Err(HashError::Io(error)),
        };
        match hashed {
            Ok((stamp, (file, layer))) => {
                self.shared.cache.put(&stamp, &layer)?;
                self.report.hashed_files += 1;
                self.report.hashed_bytes += file.size;
                self.push(Entry::new(location, stamp, file));
                Ok(())
            }
            Err(HashError::Changed) => {
                self.report.restless.insert(location);
                Ok(())
            }
            Err(HashError::Cancelled) => self.go_on(),
            Err(HashError::Io(_)) => {
                self.report.unreadable += 1;
                Ok(())
            }
        }
    }

    /// With the next file, unless the scan itself is to end.
    fn go_on(&self) -> Result<(), Stop> {
        if self.token.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    fn push(&mut self, entry: Entry) {
        let before = self.before.at(&entry.location).map(|before| before.file);
        if let Some(file) = before.filter(|file| *file != entry.file) {
            self.shared.changed().note(file);
        }
        self.entries.push(Arc::new(entry));
    }

    /// What is still to be hashed keeps the folders that it is in from being offered as a whole.
    fn publish(&mut self, unread: &[Found]) {
        let start = clock::now();
        let mut folders: Vec<_> = unread.iter().map(|found| found.location.parent()).collect();
        folders.dedup();
        self.shared.publish(self.entries.clone(), folders);
        self.published = self.entries.len();
        let end = clock::now();
        self.not_before = end + end.duration_since(start) * PUBLISH_PAUSE_FACTOR;
    }
}
