//! A large file of a folder: fetched as a download of its own is, piece by piece.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use cap_std::fs::Dir;
use protocol::{Conflict, root::PieceLayer};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::{
    account::lock,
    contents::{ContainedFile, Contents},
    disk::set_aside,
    recorder::TreeRecorder,
};
use crate::{
    downloads::{
        assemble::{ANNOUNCED, AssembleError, PartFile},
        content::SharedPlan,
        failure::Failure,
        fetch,
        plan::Plan,
        recorder::Recorder,
        revive::{Found, Leftover},
        store::{PartOf, Remains},
    },
    peer_stream::client::Requester,
};

/// Looks at what an earlier process left of those that were on their way, before any source is asked: no source waits
/// while they are read. One that is whole gets its name.
pub(super) async fn take_up(
    recorder: &TreeRecorder,
    contents: &Arc<Contents>,
    token: &CancellationToken,
) -> Result<(), Failure> {
    let (recorder, contents, token) = (recorder.clone(), Arc::clone(contents), token.clone());
    run(move || {
        for (number, _) in recorder.store.parts(recorder.id)? {
            if lock(&recorder.account).is_there().get(number) == Some(&false) {
                let (recorder, contents, token) = (recorder.clone(), Arc::clone(&contents), token.clone());
                Large { recorder, contents, number, token }.take_up()?;
            }
        }
        Ok(())
    })
    .await
}

/// Fetches what is missing of the file with this number, and gives it its name.
pub(super) async fn fetch(
    stream: &mut Requester,
    recorder: &TreeRecorder,
    contents: &Arc<Contents>,
    number: usize,
    token: &CancellationToken,
) -> Result<(), Failure> {
    let (contents, token) = (Arc::clone(contents), token.clone());
    let large = Large { recorder: recorder.clone(), contents, number, token };
    let kept = large.clone();
    let kept = run(move || kept.layer()).await?;
    let (layer, is_kept) = match kept {
        Some(layer) => (layer, true),
        None => (stream.piece_layer(&large.file().id).await?, false),
    };
    let layer = Arc::new(layer);
    let opening = (large.clone(), Arc::clone(&layer));
    let (part, plan) = run(move || opening.0.open(&opening.1, is_kept)).await?;
    let pieces = large.pieces(plan, Arc::clone(&part));
    // From now on it is found again after a crash.
    pieces.record().await?;
    fetch::fetch(stream, &layer, &pieces, pending(), &large.token).await?;
    run(move || large.finish(&part)).await
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|_| Failure::Worker)?
}

#[derive(Clone)]
struct Large {
    recorder: TreeRecorder,
    contents: Arc<Contents>,
    number: usize,
    token: CancellationToken,
}

impl Large {
    fn file(&self) -> &ContainedFile {
        &self.contents.files()[self.number]
    }

    fn of(&self) -> PartOf {
        PartOf::File(self.recorder.id, self.number)
    }

    /// As an earlier stream brought it.
    fn layer(&self) -> Result<Option<PieceLayer>, Failure> {
        Ok(self.recorder.store.part_layer(self.recorder.id, self.number, &self.file().id)?)
    }

    fn pieces(&self, plan: SharedPlan, part: Arc<PartFile>) -> Recorder {
        let TreeRecorder { store, boot_id, .. } = &self.recorder;
        Recorder::new(self.of(), plan, part, store.clone(), Arc::clone(boot_id))
    }

    /// Without a source, and so only where its layer is known.
    fn take_up(&self) -> Result<(), Failure> {
        let TreeRecorder { tree, account, .. } = &self.recorder;
        let Some(layer) = self.layer()? else { return Ok(()) };
        let left = tree.change(|gate| {
            let dir = tree.enter(gate, &self.file().place).map_err(AssembleError::from)?;
            self.look(&dir, &layer)
        })?;
        let Some((part, plan)) = left else { return Ok(()) };
        let is_whole = plan.missing() == 0;
        let plan = Arc::new(Mutex::new(plan));
        lock(account).begin(self.number, Arc::clone(&plan));
        if is_whole { self.finish(&part) } else { self.pieces(plan, part).record_blocking() }
    }

    /// What of it is on the disk, if this process does not know.
    fn look(&self, dir: &Dir, layer: &PieceLayer) -> Result<Option<(Arc<PartFile>, Plan)>, Failure> {
        let TreeRecorder { store, boot_id, .. } = &self.recorder;
        let Some(remains) = &store.remains(self.of())? else { return Ok(None) };
        let ContainedFile { id: file, place, .. } = self.file();
        let (name, layer, token) = (&place.name, Some(layer), &self.token);
        let left = Leftover { name, file, remains, layer, boot_id, token };
        Ok(match left.look(dir)? {
            Found::Part(part, plan) => Some((part, plan)),
            Found::Whole(_) | Found::InUse(_) | Found::Nothing => None,
        })
    }

    /// Its partial file, if this process knows what is in it.
    fn known(&self, dir: &Dir) -> Result<Option<(Arc<PartFile>, SharedPlan)>, Failure> {
        let plan = lock(&self.recorder.account).known_plan(self.number);
        let remains = self.recorder.store.remains(self.of())?;
        let (Some(plan), Some(remains)) = (plan, remains) else { return Ok(None) };
        match PartFile::open(dir, &remains.part, &self.file().place.name) {
            Ok(part) if part.is_recorded_as(remains.inode)? => Ok(Some((Arc::new(part), plan))),
            Ok(_) | Err(AssembleError::Gone(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What an earlier stream or process left of it, or a new partial file.
    fn open(&self, layer: &PieceLayer, is_kept: bool) -> Result<(Arc<PartFile>, SharedPlan), Failure> {
        let TreeRecorder { id, tree, store, account, .. } = &self.recorder;
        let (part, plan) = tree.change(|gate| {
            let dir = tree.enter(gate, &self.file().place).map_err(AssembleError::from)?;
            if let Some(known) = self.known(&dir)? {
                return Ok(known);
            }
            let left = self.look(&dir, layer)?;
            let (part, plan) = left.map_or_else(|| self.create(&dir), Ok)?;
            Ok::<_, Failure>((part, Arc::new(Mutex::new(plan))))
        })?;
        lock(account).begin(self.number, Arc::clone(&plan));
        if !is_kept {
            store.save_part_layer(*id, self.number, layer)?;
        }
        Ok((part, plan))
    }

    fn create(&self, dir: &Dir) -> Result<(Arc<PartFile>, Plan), Failure> {
        let TreeRecorder { store, boot_id, .. } = &self.recorder;
        let ContainedFile { id: file, place, .. } = self.file();
        let part = PartFile::create_announced(dir, &place.name, &place.part, |part| {
            let (part, boot_id) = (part.clone(), boot_id.to_string());
            let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
            store.save_remains(self.of(), &remains).map_err(Failure::from)
        })?;
        Ok((Arc::new(part), Plan::new(*file)))
    }

    /// Synced by itself: it need not wait for its group.
    fn finish(&self, part: &PartFile) -> Result<(), Failure> {
        let TreeRecorder { id, account, tree, store, group, .. } = &self.recorder;
        let (file, number) = (self.file(), self.number);
        tree.change(|gate| {
            let dir = tree.enter(gate, &file.place).map_err(AssembleError::from)?;
            if let Err(AssembleError::NameTaken(name)) = part.finish(Conflict::Skip) {
                set_aside(&dir, &name).map_err(AssembleError::from)?;
                part.finish(Conflict::Skip)?;
            }
            lock(account).mark_there(number);
            Ok::<_, Failure>(())
        })?;
        group.add(file.id.size);
        Ok(store.forget_part(*id, number)?)
    }
}
