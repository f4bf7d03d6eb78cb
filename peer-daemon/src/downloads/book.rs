//! All downloads of this daemon, and which of them a source is asked for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    time::Instant,
};

use protocol::{
    Username,
    control::{Download, DownloadState},
    limits::FILES_PER_INTRODUCTION_MAX,
};
use tokio_util::sync::CancellationToken;

use super::{
    batch::Item,
    entry::{DownloadId, Entry},
    store::{Loaded, Record},
};
use crate::searches::Source;

/// Downloads that are still listed; the oldest ended ones go first.
const LISTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<DownloadId, Entry>,
    last_id: u64,
    /// Sources that a task is asking.
    asked: HashSet<Username>,
}

/// There are as many downloads as the daemon keeps, and none of them has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BookFull;

impl Book {
    /// Takes up what an earlier process had.
    pub(super) fn restore(&mut self, loaded: Loaded, token: &CancellationToken) {
        self.last_id = loaded.last_id;
        for (record, remains) in loaded.records {
            self.entries.insert(record.id, Entry::restore(record, remains, token.child_token()));
        }
    }

    /// The sources of all that waits to be asked for.
    pub(super) fn waiting_sources(&self) -> Vec<Username> {
        let waiting = self.entries.values().filter(|entry| entry.state() == DownloadState::Queued);
        waiting.map(|entry| entry.source.username.clone()).collect()
    }

    /// What changed since the last time.
    pub(super) fn take_unsaved(&mut self) -> Vec<Record> {
        self.entries.values_mut().filter_map(Entry::take_unsaved).collect()
    }

    /// Takes a download off the list.
    pub(super) fn remove(&mut self, id: DownloadId) -> Option<Entry> {
        self.entries.remove(&id)
    }

    /// Adds a download. One of the same file that has not ended is the same download.
    pub(super) fn add(
        &mut self,
        source: Source,
        directory: &Path,
        token: CancellationToken,
    ) -> Result<DownloadId, BookFull> {
        if let Some((id, _)) = self
            .entries
            .iter()
            .find(|(_, entry)| entry.source.file == source.file && !entry.state().has_ended())
        {
            return Ok(*id);
        }
        self.make_room()?;
        self.last_id += 1;
        let id = DownloadId(self.last_id);
        let path = directory.join(source.name.as_str());
        self.entries.insert(id, Entry::new(id, source, path, token));
        Ok(id)
    }

    pub(super) fn get_mut(&mut self, id: DownloadId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// Those that wait for the disk.
    pub(super) fn held(&self) -> Vec<DownloadId> {
        self.entries.iter().filter(|(_, entry)| entry.life().is_held()).map(|(id, _)| *id).collect()
    }

    pub(super) fn list(&mut self, now: Instant) -> Vec<Download> {
        let mut line = HashMap::new();
        let entries = self.entries.values_mut();
        entries.map(|entry| place_in_line(entry.view(now), &self.asked, &mut line)).collect()
    }

    /// One of the list.
    pub(super) fn view(&mut self, id: DownloadId, now: Instant) -> Option<Download> {
        let mut line = HashMap::new();
        let is_before = |entry: &&Entry| entry.state() == DownloadState::Queued;
        for before in self.entries.range(..id).map(|(_, entry)| entry).filter(is_before) {
            *line.entry(before.source.username.clone()).or_default() += 1;
        }
        Some(place_in_line(self.entries.get_mut(&id)?.view(now), &self.asked, &mut line))
    }

    /// The one that is transferring.
    pub(super) fn current(&mut self, now: Instant) -> Option<Download> {
        let transferring = |entry: &&mut Entry| {
            matches!(entry.state(), DownloadState::Transferring | DownloadState::Verifying)
        };
        self.entries.values_mut().find(transferring).map(|entry| entry.view(now))
    }

    /// Whether a task is to be started that asks this source: at most one at a time does.
    pub(super) fn begin_asking(&mut self, username: &Username) -> bool {
        self.asked.insert(username.clone())
    }

    /// What the source's task asks for next; with nothing left, the task is over.
    pub(super) fn next_batch(&mut self, username: &Username) -> Vec<Item> {
        let is_next =
            |entry: &Entry| entry.source.username == *username && entry.state() == DownloadState::Queued;
        let batch: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_next(entry))
            .map(|(id, entry)| Item { id: *id, file: entry.source.file, token: entry.token.clone() })
            .take(FILES_PER_INTRODUCTION_MAX)
            .collect();
        if batch.is_empty() {
            self.asked.remove(username);
        }
        batch
    }

    fn make_room(&mut self) -> Result<(), BookFull> {
        if self.entries.len() < LISTED_MAX {
            return Ok(());
        }
        let ended = self.entries.iter().find(|(_, entry)| entry.state().has_ended()).map(|(id, _)| *id);
        ended.and_then(|id| self.entries.remove(&id)).map(|_| ()).ok_or(BookFull)
    }
}

/// A download that its source is not asked for yet, because it is being asked for others: tells its place among
/// those that wait so. `line` has how many came before, of each source.
fn place_in_line(
    mut download: Download,
    asked: &HashSet<Username>,
    line: &mut HashMap<Username, u32>,
) -> Download {
    if download.state == DownloadState::Queued && asked.contains(&download.username) {
        let place = line.entry(download.username.clone()).or_default();
        *place += 1;
        download.position = Some(*place);
        download.reason.get_or_insert_with(|| "another download from this source comes first".to_owned());
    }
    download
}
