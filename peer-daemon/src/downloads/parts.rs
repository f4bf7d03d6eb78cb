//! The partial files of downloads: made, taken up again, removed.

use std::{collections::HashSet, sync::Arc};

use protocol::{FileId, SafeName, root::PieceLayer};
use tokio_util::sync::CancellationToken;

use super::{
    Downloads,
    assemble::{ANNOUNCED, AssembleError, PartFile, part_name},
    batch::{Batch, Item},
    content::{Content, Leftovers, SharedPlan},
    entry::DownloadId,
    failure::Failure,
    fetch::lock,
    folder::DownloadFolder,
    plan::Plan,
    recorder::Recorder,
    revive::{Found, Leftover},
    step::Step,
    store::{PartOf, Remains},
    tree::discard_tree,
};
use crate::searches::Source;

/// Ready to fetch into.
pub(super) struct OpenPart {
    pub(super) recorder: Recorder,
    /// Known from an earlier stream.
    pub(super) layer: Option<Arc<PieceLayer>>,
}

impl OpenPart {
    /// Whether all of its pieces are there.
    pub(super) fn is_whole(&self) -> bool {
        self.layer.is_some() && lock(&self.recorder.plan).missing() == 0
    }
}

pub(super) enum Opened {
    Part(OpenPart),
    /// An earlier process had finished the file, under this name.
    Whole(SafeName),
}

/// What is known of a download's partial file before the folder is looked at.
struct Known {
    part: Option<Arc<PartFile>>,
    remains: Option<Remains>,
    name: SafeName,
    file: FileId,
    layer: Option<Arc<PieceLayer>>,
}

impl Known {
    /// Blocks, for as long as it takes to read what has to be checked.
    fn look(
        self,
        folder: &DownloadFolder,
        boot_id: &str,
        token: &CancellationToken,
    ) -> Result<Found, Failure> {
        let dir = folder.open()?;
        match (self.part, self.remains) {
            (Some(part), _) => match part.must_be_in(&dir) {
                Ok(()) => Ok(Found::InUse(part)),
                Err(AssembleError::Gone(_)) => Ok(Found::Nothing),
                Err(error) => Err(error.into()),
            },
            (None, Some(remains)) => {
                let (name, file, remains, layer) = (&self.name, &self.file, &remains, self.layer.as_deref());
                Ok(Leftover { name, file, remains, layer, boot_id, token }.look(&dir)?)
            }
            (None, None) => Ok(Found::Nothing),
        }
    }
}

impl Downloads {
    /// Whether something was written of a download that is to be looked at before its source is asked: by an earlier
    /// process, or all of it.
    pub(super) fn has_leftovers(&self, id: DownloadId) -> bool {
        self.book().get_mut(id).is_some_and(|entry| entry.has_leftovers())
    }

    /// The partial file of a download: the one in use, the one that an earlier process left, or a new one.
    pub(super) async fn open_part(&self, item: &Item, batch: &Batch) -> Result<Opened, Failure> {
        match self.open_leftover(item, batch).await? {
            Some(opened) => Ok(opened),
            None => Ok(Opened::Part(self.create_part(item, batch).await?)),
        }
    }

    /// The same, if there is one. Without one, nothing has come.
    pub(super) async fn open_leftover(&self, item: &Item, batch: &Batch) -> Result<Option<Opened>, Failure> {
        let known = batch.change(item, |entry| match &entry.content {
            Content::File { plan, part } => {
                Some((Arc::clone(plan), part.clone(), entry.remains.clone(), entry.name()))
            }
            Content::Folder { .. } => None,
        });
        let (shared_plan, part, remains, name) = known.flatten().ok_or(Failure::Cancelled)?;
        let (store, file, id) = (self.shared.store.clone(), item.file, item.id);
        let stored_layer =
            self.blocking(move || store.layer(id, &file).map_err(Failure::from)).await?.map(Arc::new);
        let is_left = part.is_none() && remains.is_some();
        if is_left {
            batch.take(item, Step::Checking);
        }
        let known = Known { part, remains, name, file, layer: stored_layer.clone() };
        let (folder, boot_id) = (Arc::clone(&self.shared.folder), Arc::clone(&self.shared.boot_id));
        let token = item.token.clone();
        let found = self.blocking(move || known.look(&folder, &boot_id, &token)).await?;
        match found {
            Found::Whole(name) => Ok(Some(Opened::Whole(name))),
            Found::InUse(part) => {
                let recorder = self.recorder(item, shared_plan, part);
                Ok(Some(Opened::Part(OpenPart { recorder, layer: stored_layer })))
            }
            Found::Part(part, plan) => {
                let recorder = self.adopt(item, batch, part, plan).ok_or(Failure::Cancelled)?;
                recorder.record().await?;
                Ok(Some(Opened::Part(OpenPart { recorder, layer: stored_layer })))
            }
            Found::Nothing => {
                batch.change(item, |entry| entry.forget_part(None)).ok_or(Failure::Cancelled)?;
                Ok(None)
            }
        }
    }

    async fn create_part(&self, item: &Item, batch: &Batch) -> Result<OpenPart, Failure> {
        let name = batch.change(item, |entry| entry.name()).ok_or(Failure::Cancelled)?;
        let (folder, store) = (Arc::clone(&self.shared.folder), self.shared.store.clone());
        let (id, file, boot_id) = (item.id, item.file, self.shared.boot_id.to_string());
        let creating = self.blocking(move || {
            let part = PartFile::create_announced(&folder.open()?, &name, &part_name(&name), |part| {
                let (part, boot_id) = (part.clone(), boot_id.clone());
                let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
                store.save_remains(PartOf::Download(id), &remains).map_err(Failure::from)
            })?;
            Ok((Arc::new(part), store.layer(id, &file)?.map(Arc::new)))
        });
        let (part, layer) = creating.await?;
        let Some(recorder) = self.adopt(item, batch, Arc::clone(&part), Plan::new(file)) else {
            // Stopped meanwhile, and nobody knows of it.
            self.discard(Leftovers::File { part: Some(part), remains: None }).await;
            return Err(Failure::Cancelled);
        };
        // From now on the partial file is found again after a crash.
        recorder.record().await?;
        Ok(OpenPart { recorder, layer })
    }

    /// Makes a partial file that of the download, unless it was stopped meanwhile.
    fn adopt(&self, item: &Item, batch: &Batch, part: Arc<PartFile>, plan: Plan) -> Option<Recorder> {
        let plan = batch.change(item, |entry| {
            let Content::File { plan: shared, part: known } = &mut entry.content else { return None };
            *lock(shared) = plan;
            *known = Some(Arc::clone(&part));
            Some(Arc::clone(shared))
        });
        plan.flatten().map(|plan| self.recorder(item, plan, part))
    }

    fn recorder(&self, item: &Item, plan: SharedPlan, part: Arc<PartFile>) -> Recorder {
        let (store, boot_id) = (self.shared.store.clone(), Arc::clone(&self.shared.boot_id));
        Recorder::new(PartOf::Download(item.id), plan, part, store, boot_id)
    }

    /// Which of these names something in the folder has.
    pub(super) async fn names_there(&self, sources: &[Source]) -> HashSet<SafeName> {
        let folder = Arc::clone(&self.shared.folder);
        let mut names: HashSet<_> = sources.iter().map(|source| source.name.clone()).collect();
        let looking = self.blocking(move || {
            let dir = folder.open()?;
            names.retain(|name| dir.symlink_metadata(name.as_str()).is_ok());
            Ok(names)
        });
        // A folder that can't be looked at is waited for, and looked at in the end.
        looking.await.unwrap_or_default()
    }

    /// Keeps a piece layer for later streams and after a crash.
    pub(super) async fn keep_layer(
        &self,
        id: DownloadId,
        layer: PieceLayer,
    ) -> Result<Arc<PieceLayer>, Failure> {
        let layer = Arc::new(layer);
        let (store, kept) = (self.shared.store.clone(), Arc::clone(&layer));
        self.blocking(move || Ok(store.save_layer(id, &kept)?)).await?;
        Ok(layer)
    }

    /// Removes what was written of a download, whether this process has it open or an earlier one left it.
    pub(super) async fn discard(&self, leftovers: Leftovers) {
        let (folder, downloads) = (Arc::clone(&self.shared.folder), self.clone());
        let discarding = self.blocking(move || match leftovers {
            Leftovers::File { part: Some(part), .. } => Ok(part.discard()?),
            Leftovers::File { part: None, remains: Some(Remains { part, inode, .. }) } => {
                match PartFile::open(&folder.open()?, &part, &part) {
                    Ok(part) if part.is_recorded_as(inode)? => Ok(part.discard()?),
                    // Gone, or somebody else's by now.
                    Ok(_) | Err(_) => Ok(()),
                }
            }
            Leftovers::File { part: None, remains: None } => Ok(()),
            folder_leftovers @ Leftovers::Folder { .. } => {
                discard_tree(&folder, &downloads, folder_leftovers)
            }
        });
        if let Err(error) = discarding.await {
            tracing::warn!(%error, "what was written of a download could not be removed");
        }
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.shared.parts.tracker.spawn_blocking(work).await.map_err(|_| Failure::Worker)?
    }
}
