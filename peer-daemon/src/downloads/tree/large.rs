//! A large file of a folder: fetched as a download of its own is, piece by piece.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

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
        failure::Failure,
        fetch,
        plan::Plan,
        recorder::Recorder,
        revive::{Found, Leftover},
        store::{PartOf, Remains},
    },
    peer_stream::client::Requester,
};

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
    // Asked for with each stream: it is small beside the file, and so need not be kept.
    let layer = Arc::new(stream.piece_layer(&large.file().id).await?);
    let opening = (large.clone(), Arc::clone(&layer));
    let (part, plan) = run(move || opening.0.open(&opening.1)).await?;
    let plan = Arc::new(Mutex::new(plan));
    lock(&recorder.account).begin(number, Arc::clone(&plan));
    let of = PartOf::File(recorder.id, number);
    let store = recorder.store.clone();
    let pieces = Recorder::new(of, plan, Arc::clone(&part), store, Arc::clone(&recorder.boot_id));
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

    /// What an earlier stream or process left of it, or a new partial file.
    fn open(&self, layer: &PieceLayer) -> Result<(Arc<PartFile>, Plan), Failure> {
        let TreeRecorder { id, tree, store, boot_id, .. } = &self.recorder;
        let (file, of) = (self.file(), PartOf::File(*id, self.number));
        let (place, token) = (&file.place, &self.token);
        tree.change(|gate| {
            let dir = tree.enter(gate, place).map_err(AssembleError::from)?;
            if let Some(remains) = &store.remains(of)? {
                let (name, file, layer) = (&place.name, &file.id, Some(layer));
                let left = Leftover { name, file, remains, layer, boot_id, token };
                if let Found::Part(part, plan) = left.look(&dir)? {
                    return Ok((part, plan));
                }
            }
            let part = PartFile::create_announced(&dir, &place.name, &place.part, |part| {
                let (part, boot_id) = (part.clone(), boot_id.to_string());
                let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
                store.save_remains(of, &remains).map_err(Failure::from)
            })?;
            Ok((Arc::new(part), Plan::new(file.id)))
        })
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
