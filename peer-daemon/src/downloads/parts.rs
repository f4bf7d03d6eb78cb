//! The partial files of downloads: made, taken up again, removed.

use std::{collections::HashSet, sync::Arc};

use protocol::{FileId, SafeName, root::PieceLayer};

use super::{
    Downloads,
    assemble::{ANNOUNCED, AssembleError, PartFile, part_name},
    batch::{Batch, Item},
    content::{Content, Leftovers, SharedPlan},
    entry::DownloadId,
    failure::Failure,
    folder::DownloadFolder,
    plan::Plan,
    recorder::Recorder,
    revive::{Found, revive},
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
    fn look(self, folder: &DownloadFolder, boot_id: &str) -> Result<Found, Failure> {
        let dir = folder.open()?;
        match (self.part, self.remains) {
            (Some(part), _) => match part.must_be_in(&dir) {
                Ok(()) => Ok(Found::InUse(part)),
                Err(AssembleError::Gone(_)) => Ok(Found::Nothing),
                Err(error) => Err(error.into()),
            },
            (None, Some(remains)) => {
                Ok(revive(&dir, &self.name, &self.file, &remains, self.layer.as_deref(), boot_id)?)
            }
            (None, None) => Ok(Found::Nothing),
        }
    }
}

impl Downloads {
    /// The partial file of a download: the one in use, the one that an earlier process left, or a new one.
    pub(super) async fn open_part(&self, item: &Item, batch: &Batch) -> Result<Opened, Failure> {
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
        let known = Known { part, remains, name: name.clone(), file, layer: stored_layer.clone() };
        let (folder, boot_id) = (Arc::clone(&self.shared.folder), Arc::clone(&self.shared.boot_id));
        let found = self.blocking(move || known.look(&folder, &boot_id)).await?;
        let is_new = matches!(found, Found::Nothing);
        let (part, plan) = match found {
            Found::Whole(name) => return Ok(Opened::Whole(name)),
            Found::InUse(part) => {
                return Ok(Opened::Part(self.opened(item, shared_plan, part, stored_layer)));
            }
            Found::Part(part, plan) => (part, plan),
            Found::Nothing => {
                let (folder, store) = (Arc::clone(&self.shared.folder), self.shared.store.clone());
                let boot_id = self.shared.boot_id.to_string();
                let creating = self.blocking(move || {
                    PartFile::create_announced(&folder.open()?, &name, &part_name(&name), |part| {
                        let (part, boot_id) = (part.clone(), boot_id.clone());
                        let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
                        store.save_remains(PartOf::Download(id), &remains).map_err(Failure::from)
                    })
                });
                (Arc::new(creating.await?), Plan::new(file))
            }
        };
        let adopted = batch.change(item, |entry| {
            *shared_plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = plan;
            entry.content = Content::File { plan: Arc::clone(&shared_plan), part: Some(Arc::clone(&part)) };
            entry.take(Step::Transferring);
        });
        let Some(()) = adopted else {
            // Stopped meanwhile. A file that was there before is known; another one must not stay.
            if is_new {
                self.discard(Leftovers::File { part: Some(part), remains: None }).await;
            }
            return Err(Failure::Cancelled);
        };
        let open = self.opened(item, shared_plan, part, stored_layer);
        // From now on the partial file is found again after a crash.
        open.recorder.record().await?;
        Ok(Opened::Part(open))
    }

    fn opened(
        &self,
        item: &Item,
        plan: SharedPlan,
        part: Arc<PartFile>,
        layer: Option<Arc<PieceLayer>>,
    ) -> OpenPart {
        let (store, boot_id) = (self.shared.store.clone(), Arc::clone(&self.shared.boot_id));
        let recorder = Recorder::new(PartOf::Download(item.id), plan, part, store, boot_id);
        OpenPart { recorder, layer }
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
