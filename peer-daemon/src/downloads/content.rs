//! What of a download has come: of one file, or of a whole folder.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{FileId, FolderSummary, control::FolderProgress};

use super::{
    assemble::PartFile,
    entry::DownloadId,
    plan::Plan,
    store::Remains,
    tree::{
        PartTree,
        account::{Account, SharedAccount, Tally, lock},
    },
};

/// The pieces of a file, shared by its record and its fetcher.
pub(crate) type SharedPlan = Arc<Mutex<Plan>>;

/// What was written so far is opened with the first stream of this process.
#[derive(Debug)]
pub(crate) enum Content {
    File { plan: SharedPlan, part: Option<Arc<PartFile>> },
    Folder { account: SharedAccount, tree: Option<Arc<PartTree>> },
}

/// What is on the disk of a download: opened by this process, or left by an earlier one.
#[derive(Debug)]
pub(crate) enum Leftovers {
    File { part: Option<Arc<PartFile>>, remains: Option<Remains> },
    Folder { id: DownloadId, account: SharedAccount, tree: Option<Arc<PartTree>>, remains: Option<Remains> },
}

impl Leftovers {
    fn are_any(&self) -> bool {
        match self {
            Self::File { part, remains } => part.is_some() || remains.is_some(),
            Self::Folder { tree, remains, .. } => tree.is_some() || remains.is_some(),
        }
    }
}

impl Content {
    /// Nothing has come.
    pub(crate) fn new(file: FileId, folder: Option<FolderSummary>) -> Self {
        Self::restore(file, folder, &[], Tally::default())
    }

    /// All has.
    pub(crate) fn complete(file: FileId, folder: Option<FolderSummary>) -> Self {
        match folder {
            None => Self::of_file(Plan::complete(file)),
            Some(summary) => Self::of_folder(Account::complete(summary)),
        }
    }

    /// What an earlier process had recorded.
    pub(crate) fn restore(
        file: FileId,
        folder: Option<FolderSummary>,
        verified_bits: &[u8],
        tally: Tally,
    ) -> Self {
        match folder {
            None => Self::of_file(Plan::restore(file, verified_bits)),
            Some(summary) => Self::of_folder(Account::new(summary, tally)),
        }
    }

    fn of_file(plan: Plan) -> Self {
        Self::File { plan: Arc::new(Mutex::new(plan)), part: None }
    }

    fn of_folder(account: Account) -> Self {
        Self::Folder { account: Arc::new(Mutex::new(account)), tree: None }
    }

    /// Bytes of the file, or of all files of the folder.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File { plan, .. } => plan.lock().unwrap_or_else(PoisonError::into_inner).size(),
            Self::Folder { account, .. } => lock(account).size(),
        }
    }

    /// Bytes that were found right.
    pub(crate) fn received(&self) -> u64 {
        self.tally().received
    }

    pub(crate) fn tally(&self) -> Tally {
        match self {
            Self::File { plan, .. } => {
                let received = plan.lock().unwrap_or_else(PoisonError::into_inner).received();
                Tally { finished: 0, received }
            }
            Self::Folder { account, .. } => lock(account).tally(),
        }
    }

    pub(crate) fn progress(&self) -> Option<FolderProgress> {
        match self {
            Self::File { .. } => None,
            Self::Folder { account, .. } => Some(lock(account).progress()),
        }
    }

    /// What a source did not give is asked of it again.
    pub(crate) fn forgive(&self) {
        if let Self::Folder { account, .. } = self {
            lock(account).forgive();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::File { part, .. } => part.is_some(),
            Self::Folder { tree, .. } => tree.is_some(),
        }
    }

    /// What was written is opened again when the download goes on. What has come is still known.
    pub(crate) fn close(&mut self) {
        match self {
            Self::File { part, .. } => *part = None,
            Self::Folder { tree, .. } => *tree = None,
        }
    }

    /// Hands out what is on the disk, to be removed.
    pub(crate) fn take_leftovers(
        &mut self,
        id: DownloadId,
        remains: &mut Option<Remains>,
    ) -> Option<Leftovers> {
        let remains = remains.take();
        let leftovers = match self {
            Self::File { part, .. } => Leftovers::File { part: part.take(), remains },
            Self::Folder { account, tree } => {
                Leftovers::Folder { id, account: Arc::clone(account), tree: tree.take(), remains }
            }
        };
        leftovers.are_any().then_some(leftovers)
    }
}
