//! Which files of a folder are there.
//!
//! Pure: whoever fetches asks what is missing, and tells what became of each file. Only large files are known by
//! their pieces, and keep that account themselves ([`Plan`](crate::downloads::plan::Plan)).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{FolderSummary, ReplyKey, control::FolderProgress};

use super::contents::Contents;
use crate::downloads::{bits, content::SharedPlan, setback::Setback};

/// Shared by a download's record and whoever fetches it. A plain mutex: held for a look or a change.
pub(crate) type SharedAccount = Arc<Mutex<Account>>;

pub(crate) fn lock(account: &SharedAccount) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much of a folder is there, as it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Files that are whole.
    pub(crate) finished: u64,
    /// Verified bytes, those of files on their way with them.
    pub(crate) received: u64,
}

/// A large file on its way.
#[derive(Debug)]
struct Begun {
    plan: SharedPlan,
    /// It was looked at by this process, or is fetched by it.
    is_known: bool,
}

#[derive(Debug)]
pub(crate) struct Account {
    /// Until the listing has come, what the source told.
    summary: FolderSummary,
    contents: Option<Arc<Contents>>,
    is_there: Vec<bool>,
    /// Of what is there, or was when it was recorded.
    whole: Tally,
    /// Large files on their way.
    begun: BTreeMap<usize, Begun>,
    /// The source that the following is about, by its key.
    source: Option<ReplyKey>,
    /// Files that came wrong once.
    suspect: BTreeSet<usize>,
    /// Files that it does not give, and why.
    lacking: BTreeMap<usize, Setback>,
}

impl Account {
    /// Nothing is known but what was told and what was recorded.
    pub(crate) fn new(summary: FolderSummary, whole: Tally) -> Self {
        Self {
            summary,
            contents: None,
            is_there: Vec::new(),
            whole,
            begun: BTreeMap::new(),
            source: None,
            suspect: BTreeSet::new(),
            lacking: BTreeMap::new(),
        }
    }

    pub(crate) fn complete(summary: FolderSummary) -> Self {
        Self::new(summary, Tally { finished: summary.files, received: summary.bytes })
    }

    /// The listing is known, and which of its files are there; a flag that is missing says no.
    pub(crate) fn of(contents: Arc<Contents>, is_there: &[bool]) -> Self {
        let mut account = Self::new(contents.summary(), Tally::default());
        account.is_there = vec![false; contents.files().len()];
        account.contents = Some(contents);
        for (number, _) in is_there.iter().enumerate().filter(|(_, is_there)| **is_there) {
            account.mark_there(number);
        }
        account
    }

    pub(crate) fn contents(&self) -> Option<Arc<Contents>> {
        self.contents.clone()
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.summary.bytes
    }

    pub(crate) fn tally(&self) -> Tally {
        let received = |begun: &Begun| begun.plan.lock().unwrap_or_else(PoisonError::into_inner).received();
        let begun: u64 = self.begun.values().map(received).sum();
        let Tally { finished, received } = self.whole;
        Tally {
            finished: finished.min(self.summary.files),
            received: received.saturating_add(begun).min(self.size()),
        }
    }

    pub(crate) fn progress(&self) -> FolderProgress {
        FolderProgress { files: self.summary.files, finished: self.tally().finished }
    }

    /// What is to be asked of the present source, in the order of the listing.
    pub(crate) fn wanted(&self) -> Vec<usize> {
        let numbers = 0..self.is_there.len();
        numbers.filter(|number| !self.is_there[*number] && !self.lacking.contains_key(number)).collect()
    }

    /// Whether the listing is known, and all that is in it is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.contents.is_some() && self.is_there.iter().all(|is_there| *is_there)
    }

    pub(crate) fn is_there(&self) -> &[bool] {
        &self.is_there
    }

    /// A bit for each file.
    pub(crate) fn bits(&self) -> Vec<u8> {
        bits::pack(&self.is_there)
    }

    /// A large file is on its way, and this process knows what of it is there.
    pub(crate) fn begin(&mut self, number: usize, plan: SharedPlan) {
        self.begun.insert(number, Begun { plan, is_known: true });
    }

    /// The same, as an earlier process recorded it.
    pub(crate) fn recall(&mut self, number: usize, plan: SharedPlan) {
        self.begun.insert(number, Begun { plan, is_known: false });
    }

    /// What of a large file is there, as far as this process knows.
    pub(crate) fn known_plan(&self, number: usize) -> Option<SharedPlan> {
        let begun = self.begun.get(&number).filter(|begun| begun.is_known)?;
        Some(Arc::clone(&begun.plan))
    }

    /// A file was found right and has its name. Telling it twice changes nothing.
    pub(crate) fn mark_there(&mut self, number: usize) {
        self.begun.remove(&number);
        self.suspect.remove(&number);
        self.lacking.remove(&number);
        let file = self.contents.as_ref().and_then(|contents| contents.files().get(number));
        let (Some(file), Some(is_there)) = (file, self.is_there.get_mut(number)) else { return };
        if !std::mem::replace(is_there, true) {
            self.whole.finished += 1;
            self.whole.received += file.id.size;
        }
    }

    /// A file came and was not right. It may have been an accident once; twice, the source does not give it.
    pub(crate) fn mark_wrong(&mut self, number: usize) {
        if !self.suspect.insert(number) {
            self.lacking.insert(number, Setback::WrongPiece);
        }
    }

    /// The present source does not give this file.
    pub(crate) fn lack(&mut self, number: usize, setback: Setback) {
        self.lacking.insert(number, setback);
    }

    /// Another source begins without blame. The same one is not asked again for what it does not give.
    pub(crate) fn turn_to(&mut self, source: ReplyKey) {
        if self.source.replace(source) != Some(source) {
            self.forgive();
        }
    }

    pub(crate) fn forgive(&mut self) {
        self.suspect.clear();
        self.lacking.clear();
    }

    /// What came in the way of the files that are still missing; the worst tells what is to be done.
    pub(crate) fn setback(&self) -> Option<Setback> {
        let (number, worst) = self.lacking.iter().max_by_key(|(number, setback)| {
            (matches!(setback, Setback::WrongPiece), std::cmp::Reverse(**number))
        })?;
        let file = self.contents.as_ref()?.files().get(*number)?;
        Some(Setback::FilesLacking {
            files: self.lacking.len() as u64,
            path: file.path.to_string(),
            why: Box::new(worst.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::contents::tests::contents, *};
    use crate::downloads::plan::Plan;

    fn account(sizes: &[u64]) -> Account {
        let names: Vec<_> = (0..sizes.len()).map(|number| format!("{number:03}")).collect();
        let files: Vec<_> = names.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
        Account::of(Arc::new(contents(&files)), &[])
    }

    #[test]
    fn a_file_may_be_wrong_once_and_does_not_stop_the_others() {
        let mut account = account(&[1, 1, 1]);
        account.mark_wrong(1);
        assert_eq!(account.wanted(), [0, 1, 2]);
        account.mark_wrong(1);
        account.lack(2, Setback::FileGone);
        assert_eq!(account.wanted(), [0]);
        let setback = account.setback().unwrap();
        let sentence = "2 of the files could not be had, 001 among them: \
                        the source sent a piece twice that does not belong to the file";
        assert_eq!(setback.to_string(), sentence);
        let [first, second] = [1, 2].map(|byte| ReplyKey::from_bytes([byte; 32]));
        account.turn_to(first);
        account.lack(0, Setback::FileGone);
        account.turn_to(first);
        assert_eq!(account.wanted(), [1, 2], "another stream of the same source");
        account.turn_to(second);
        assert_eq!((account.wanted(), account.setback()), (vec![0, 1, 2], None));
    }

    #[test]
    fn pieces_of_a_large_file_count_until_it_is_there() {
        let mut account = account(&[3 << 20, 5]);
        let plan = SharedPlan::new(Plan::new(account.contents().unwrap().files()[0].id).into());
        account.begin(0, Arc::clone(&plan));
        plan.lock().unwrap().mark_verified(1);
        assert_eq!(account.tally(), Tally { finished: 0, received: 1 << 20 });
        account.mark_there(0);
        assert_eq!(account.tally(), Tally { finished: 1, received: 3 << 20 });
    }

    proptest! {
        /// Against the plain set of what is missing.
        #[test]
        fn every_file_is_wanted_until_it_is_there(sizes in vec(1..100_u64, 1..20), there in vec(0..20_usize, 0..30)) {
            let mut account = account(&sizes);
            let mut missing: BTreeSet<usize> = (0..sizes.len()).collect();
            for number in there {
                account.mark_there(number);
                missing.remove(&number);
                let left: u64 = missing.iter().map(|&number| sizes[number]).sum();
                let files = (sizes.len() - missing.len()) as u64;
                let tally = Tally { finished: files, received: account.size() - left };
                prop_assert_eq!(account.tally(), tally);
                prop_assert_eq!(account.wanted(), missing.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(account.is_whole(), missing.is_empty());
                let kept = bits::unpack(&account.bits(), sizes.len());
                let restored = Account::of(account.contents().unwrap(), &kept);
                prop_assert_eq!((restored.tally(), restored.wanted()), (tally, account.wanted()));
            }
        }
    }
}
