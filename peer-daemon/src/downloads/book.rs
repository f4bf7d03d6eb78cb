//! All downloads of this daemon, and which of them a source is asked for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
    time::{Instant, SystemTime},
};

use protocol::{
    Conflict, IntroductionId, Username,
    control::{Download, DownloadState},
    limits::FILES_PER_INTRODUCTION_MAX,
};
use tokio_util::sync::CancellationToken;

use super::{
    agenda::pick,
    assemble::AssembleError,
    batch::Item,
    entry::{DownloadId, Entry},
    errand::{Circumstances, What},
    failure::Failure,
    names::Names,
    store::{Loaded, Unsaved},
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
    /// Off the list, and still kept.
    forgotten: Vec<DownloadId>,
}

/// A download that somebody asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) source: Source,
    /// What is done where its name is taken.
    pub(super) conflict: Conflict,
    pub(super) token: CancellationToken,
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
        // As many as an earlier version kept, which did not forget what it took off the list.
        while self.entries.len() > LISTED_MAX && self.drop_oldest_ended().is_ok() {}
    }

    /// The sources of all that waits to be asked for.
    pub(super) fn waiting_sources(&self) -> Vec<Username> {
        let waiting = self.entries.values().filter(|entry| entry.state() == DownloadState::Queued);
        waiting.map(|entry| entry.source.username.clone()).collect()
    }

    /// What changed since the last time.
    pub(super) fn take_unsaved(&mut self) -> Unsaved {
        let records = self.entries.values_mut().filter_map(Entry::take_unsaved).collect();
        Unsaved { records, forgotten: std::mem::take(&mut self.forgotten) }
    }

    /// It could not be saved, and is to be with what changes next.
    pub(super) fn take_back(&mut self, unsaved: &Unsaved) {
        for record in &unsaved.records {
            if let Some(entry) = self.entries.get_mut(&record.id) {
                entry.take_back(record);
            }
        }
        self.forgotten.extend(&unsaved.forgotten);
    }

    /// Takes a download off the list.
    pub(super) fn remove(&mut self, id: DownloadId) {
        self.entries.remove(&id);
        self.forgotten.push(id);
    }

    /// The names that are wanted by downloads that have not ended.
    pub(super) fn names_under_way(&self) -> Names {
        let under_way = self.entries.values().filter(|entry| !entry.state().has_ended());
        Names::of(under_way.map(|entry| &entry.source.name))
    }

    /// Adds a download, under a name apart from those in `names`. One of the same file that has not ended is the
    /// same download. `is_there`: something in the folder has the name.
    pub(super) fn add(
        &mut self,
        wanted: Wanted,
        is_there: bool,
        names: &mut Names,
        directory: &Path,
    ) -> Result<DownloadId, BookFull> {
        let Wanted { mut source, conflict, token } = wanted;
        if let Some((id, _)) = self
            .entries
            .iter()
            .find(|(_, entry)| entry.source.file == source.file && !entry.state().has_ended())
        {
            let id = *id;
            // One that waits for a source has one now.
            let waits = |entry: &&mut Entry| entry.life().errand().is_some() && entry.life().may_ask(&source);
            if let Some(entry) = self.entries.get_mut(&id).filter(waits) {
                entry.find(source);
            }
            return Ok(id);
        }
        self.make_room()?;
        self.last_id += 1;
        let id = DownloadId(self.last_id);
        let is_left_out = conflict == Conflict::Skip && (is_there || names.has(&source.name));
        if !is_left_out {
            source.name = names.add(&source.name);
        }
        let taken = Failure::from(AssembleError::NameTaken(source.name.clone()));
        let path = directory.join(source.name.as_str());
        let mut entry = Entry::new(id, Wanted { source, conflict, token }, path);
        if is_left_out {
            entry.live(|life, now| life.fail(now, taken.step()));
        }
        self.entries.insert(id, entry);
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
        let (busy, mut line) = (self.busy(), HashMap::new());
        let entries = self.entries.values_mut();
        entries.map(|entry| place_in_line(entry.view(now), &busy, &mut line)).collect()
    }

    /// One of the list.
    pub(super) fn view(&mut self, id: DownloadId, now: Instant) -> Option<Download> {
        let (busy, mut line) = (self.busy(), HashMap::new());
        let is_before = |entry: &&Entry| entry.state() == DownloadState::Queued;
        for before in self.entries.range(..id).map(|(_, entry)| entry).filter(is_before) {
            *line.entry(before.source.username.clone()).or_default() += 1;
        }
        Some(place_in_line(self.entries.get_mut(&id)?.view(now), &busy, &mut line))
    }

    /// Sources that are being asked for something, or give it. One whose task has just begun is none yet.
    fn busy(&self) -> HashSet<Username> {
        let is_with_source = |entry: &&Entry| {
            let is_idle = matches!(entry.state(), DownloadState::Queued | DownloadState::Paused);
            !is_idle && !entry.state().has_ended() && self.asked.contains(&entry.source.username)
        };
        self.entries.values().filter(is_with_source).map(|entry| entry.source.username.clone()).collect()
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

    /// What the source's task asks for next, and under which id if its source may keep a place for it. With
    /// nothing left, the task is over.
    pub(super) fn next_batch(&mut self, username: &Username) -> Option<(Vec<Item>, Option<IntroductionId>)> {
        let is_queued =
            |entry: &Entry| entry.source.username == *username && entry.state() == DownloadState::Queued;
        let Some(first) = self.entries.values().find(|entry| is_queued(entry)) else {
            self.asked.remove(username);
            return None;
        };
        let (id, is_alone) = (first.life().introduction(), first.is_asked_alone);
        let batch = self
            .entries
            .iter()
            .filter(|(_, entry)| is_queued(entry))
            .filter(|(_, entry)| entry.life().introduction() == id && entry.is_asked_alone == is_alone)
            .map(|(id, entry)| item(*id, entry))
            .take(if is_alone { 1 } else { FILES_PER_INTRODUCTION_MAX });
        Some((batch.collect(), id))
    }

    /// Sets out all whose source is to be asked by now; answers the sources, and when the next is due.
    pub(super) fn set_out(&mut self, now: SystemTime) -> (Vec<Username>, Option<SystemTime>) {
        let mut usernames = Vec::new();
        let mut next = None;
        for entry in self.entries.values_mut() {
            let Some(errand) = entry.life().errand().filter(|errand| errand.what == What::Ask) else {
                continue;
            };
            let due = errand.due_by(now);
            if due <= now {
                entry.set_out();
                usernames.push(entry.source.username.clone());
            } else {
                next = Some(earlier(next, due));
            }
        }
        (usernames, next)
    }

    /// What is to be searched for now, or when the next is due.
    pub(super) fn next_to_seek(&self, now: SystemTime) -> Result<Item, Option<SystemTime>> {
        let seeking = self.entries.iter().filter_map(|(id, entry)| {
            let errand = entry.life().errand().filter(|errand| errand.what == What::Seek)?;
            Some((errand.due_by(now), id, entry))
        });
        let mut next = None;
        let mut first = None;
        for (due, id, entry) in seeking {
            if due > now {
                next = Some(earlier(next, due));
                continue;
            }
            // Who has just lost its source, before who has waited for a while.
            let order = (entry.state() == DownloadState::Waiting, due, *id);
            if first.as_ref().is_none_or(|(first_order, _)| order < *first_order) {
                first = Some((order, entry));
            }
        }
        first.map(|((.., id), entry)| item(id, entry)).ok_or(next)
    }

    /// Of those that wait in a queue, who is to look for another source now, or when the next is due.
    pub(super) fn next_to_look(&self, now: SystemTime) -> Result<Item, Option<SystemTime>> {
        let looking = self.entries.iter().filter_map(|(id, entry)| {
            let due = entry.life().look_due_by(now)?;
            Some((due, *id, entry))
        });
        match looking.min_by_key(|(due, id, _)| (*due, *id)) {
            Some((due, id, entry)) if due <= now => Ok(item(id, entry)),
            next => Err(next.map(|(due, ..)| due)),
        }
    }

    /// One that waits in a queue asks one of these, too: one that it may ask, and that nothing is wanted of just now.
    /// Answers which, and what it is asked for.
    pub(super) fn ask_elsewhere(
        &mut self,
        waiting: &Item,
        found: Vec<Source>,
        at: &Circumstances,
        (introduction, token): (IntroductionId, CancellationToken),
    ) -> Option<(Username, Item)> {
        let entry = self.entries.get_mut(&waiting.id).filter(|_| !waiting.token.is_cancelled())?;
        let may_ask = |source: &Source| {
            !self.asked.contains(&source.username) && entry.life().may_ask_elsewhere(source)
        };
        let Some(source) = pick(found, at.random, may_ask) else {
            entry.find_nobody_elsewhere(at);
            return None;
        };
        let username = source.username.clone();
        entry.ask_elsewhere(source, introduction, token.clone());
        self.asked.insert(username.clone());
        Some((username, Item { token, ..waiting.clone() }))
    }

    /// This source is there: all that wait to search for it again need not.
    pub(super) fn find_again(&mut self, source: &Source) {
        for entry in self.entries.values_mut() {
            let waits = entry.life().errand().is_some_and(|errand| errand.what == What::Seek);
            if waits && entry.source.username == source.username && entry.life().may_ask(source) {
                entry.find(Source { file: entry.source.file, ..source.clone() });
            }
        }
    }

    fn make_room(&mut self) -> Result<(), BookFull> {
        if self.entries.len() < LISTED_MAX {
            return Ok(());
        }
        self.drop_oldest_ended()
    }

    fn drop_oldest_ended(&mut self) -> Result<(), BookFull> {
        let ended = self.entries.iter().find(|(_, entry)| entry.state().has_ended()).map(|(id, _)| *id);
        ended.map(|id| self.remove(id)).ok_or(BookFull)
    }
}

fn item(id: DownloadId, entry: &Entry) -> Item {
    let Source { file, folder, .. } = &entry.source;
    Item { id, file: *file, is_folder: folder.is_some(), token: entry.token.clone() }
}

pub(super) fn earlier(known: Option<SystemTime>, other: SystemTime) -> SystemTime {
    known.map_or(other, |known| known.min(other))
}

/// A download that its source is not asked for yet, because it is being asked for others: tells its place among
/// those that wait so. `line` has how many came before, of each source.
fn place_in_line(
    mut download: Download,
    busy: &HashSet<Username>,
    line: &mut HashMap<Username, u32>,
) -> Download {
    if download.state == DownloadState::Queued && busy.contains(&download.username) {
        let place = line.entry(download.username.clone()).or_default();
        *place += 1;
        download.position = Some(*place);
        download.reason.get_or_insert_with(|| "another download from this source comes first".to_owned());
    }
    download
}

#[cfg(test)]
mod tests;
