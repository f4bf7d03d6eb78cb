//! One task a source: asks it for what is wanted of it, until nothing is.
//!
//! ```text
//!  batch ─▶ look at what is there ─▶ whole: finished
//!    ▲               ▼
//!    │      send introduction ─▶ no word in 10 s, declined: setback
//!    │           ▲   │ queued: send again every 45 s
//!    │           │   ▼ accepted: a stream within 15 s, or dial_me
//!    │           │  stream ─▶ slot taken? close it (that defers), wait for the slot, send again
//!    │           └───┘ ▼
//!    └─ ended, lost ◀─ fetch file after file ─▶ finished
//! ```
//!
//! What a setback leads to is for the download's [`life`](super::life) to say.

use std::sync::Arc;

use protocol::{IntroductionId, SafeName, Username, introduction::DeclineReason};
use tracing::info;

use super::{
    Downloads,
    assemble::PartFile,
    batch::{Batch, Item},
    failure::Failure,
    fetch::{self, lock},
    holding::watch_running,
    introduce::Introducing,
    parts::Opened,
    setback::Setback,
    step::Step,
};
use crate::{
    clock,
    peer_stream::{client::Requester, haste::Haste},
    transfer_rate::watched,
};

pub(super) struct SourceTask {
    downloads: Downloads,
    username: Username,
    /// Asked for before all else.
    first: Option<Batch>,
}

impl SourceTask {
    pub(super) fn new(downloads: Downloads, username: Username) -> Self {
        Self { downloads, username, first: None }
    }

    /// Asks for one that waits in another source's queue, under this id.
    pub(super) fn asking_elsewhere(self, item: Item, id: IntroductionId) -> Self {
        let batch = Batch::new(self.downloads.clone(), vec![item], id);
        Self { first: Some(batch), ..self }
    }

    pub(super) async fn run(mut self) {
        let first = self.first.take();
        let shared = &self.downloads.shared;
        let turn = tokio::select! {
            turn = shared.asking.acquire() => turn,
            () = shared.parts.token.cancelled() => return,
        };
        let Ok(_turn) = turn else { return };
        if let Some(batch) = first.filter(|batch| batch.wanted().next().is_some()) {
            self.ask_for(&batch).await;
        }
        while !shared.parts.token.is_cancelled() {
            let Some((items, id)) = self.downloads.book().next_batch(&self.username) else { return };
            let mut batch =
                Batch::new(self.downloads.clone(), items, id.unwrap_or_else(IntroductionId::random));
            batch.introduce();
            self.downloads.admit(&mut batch).await;
            self.take_up(&mut batch).await;
            if !batch.is_empty() {
                self.ask_for(&batch).await;
            }
        }
    }

    /// What was written of them is looked at before anybody is asked: no source waits while it is read, and of what is
    /// whole nothing is asked.
    async fn take_up(&self, batch: &mut Batch) {
        for item in batch.wanted().filter(|item| self.downloads.has_leftovers(item.id)) {
            let taken_up = if item.is_folder {
                self.take_up_folder(batch, item).await
            } else {
                self.take_up_file(batch, item).await
            };
            if let Err(failure) = taken_up {
                self.settle_one(batch, item, &failure, false).await;
            }
        }
        batch.drop_unwanted();
    }

    async fn take_up_file(&self, batch: &Batch, item: &Item) -> Result<(), Failure> {
        match self.downloads.open_leftover(item, batch).await? {
            Some(Opened::Whole(name)) => self.finish(batch, item, &name),
            Some(Opened::Part(opened)) if opened.is_whole() => {
                self.complete(batch, item, opened.recorder.part).await
            }
            Some(Opened::Part(_)) | None => Ok(()),
        }
    }

    async fn take_up_folder(&self, batch: &Batch, item: &Item) -> Result<(), Failure> {
        match self.downloads.take_up_tree(batch, item).await? {
            Some(name) => self.finish_folder(batch, item, &name).await,
            None => Ok(()),
        }
    }

    /// One introduction, one stream, as many files of the batch as it carries.
    async fn ask_for(&self, batch: &Batch) {
        let received = batch.received();
        if let Err(failure) = self.introduce_and_fetch(batch).await {
            let has_progress = batch.received() > received;
            self.settle(batch, &failure, has_progress).await;
        }
        if batch.is_to_go_on() {
            return;
        }
        batch.end_elsewhere();
        // The coordinator may forget it at once, and the target its place.
        let (link, id) = (self.downloads.shared.parts.link.clone(), batch.id());
        self.downloads.shared.parts.tracker.spawn(async move {
            // It expires by itself if this does not arrive.
            let _expires = link.withdraw_introduction(id).await;
        });
    }

    async fn introduce_and_fetch(&self, batch: &Batch) -> Result<(), Failure> {
        // Before it is sent: a later process must know under which id there may be a place.
        self.downloads.save().await?;
        let introducing = Introducing {
            downloads: &self.downloads,
            batch,
            username: &self.username,
            ticket: self.downloads.shared.pending.register(batch.id()),
        };
        let (stream, _slot) = tokio::select! {
            introduced = introducing.run() => introduced?,
            () = batch.all_cancelled() => return Err(Failure::Cancelled),
        };
        self.fetch_files(stream, batch).await
    }

    async fn fetch_files(&self, mut stream: Requester, batch: &Batch) -> Result<(), Failure> {
        let shared = &self.downloads.shared;
        let (throttle, waiting) = (shared.parts.throttle.clone(), shared.slot.waiting());
        stream.hasten(Haste::new(clock::now(), throttle, waiting, shared.parts.slow_after));
        for item in batch.wanted() {
            // An earlier one of them, or somebody else, may have filled the disk.
            if !self.downloads.is_admitted(batch, item).await {
                continue;
            }
            batch.take(item, Step::Transferring);
            let received = self.downloads.received(item.id);
            let fetched = if item.is_folder {
                self.fetch_folder(&mut stream, batch, item).await
            } else {
                self.fetch_one(&mut stream, batch, item).await
            };
            // Some of a folder's files may have come before the one that did not; those stay.
            let has_progress = item.is_folder && self.downloads.received(item.id) > received;
            match fetched {
                Ok(()) => info!("a download is finished"),
                Err(Failure::Setback(setback)) if setback.is_about_the_file() => {
                    batch.meet(item, &setback, has_progress);
                }
                Err(Failure::Setback(setback)) if setback.is_about_the_stream() => {
                    return Err(setback.into());
                }
                // In the middle of a response: the rest of the batch takes another stream.
                Err(Failure::Cancelled) => break,
                Err(failure) => {
                    self.settle_one(batch, item, &failure, has_progress).await;
                    break;
                }
            }
        }
        stream.close().await;
        batch.take_all(&Step::NotReached);
        Ok(())
    }

    async fn fetch_one(&self, stream: &mut Requester, batch: &Batch, item: &Item) -> Result<(), Failure> {
        let opened = match self.downloads.open_part(item, batch).await? {
            Opened::Part(opened) => opened,
            Opened::Whole(name) => return self.finish(batch, item, &name),
        };
        batch.take(item, Step::Transferring);
        let layer = if let Some(layer) = opened.layer {
            layer
        } else {
            let layer = stream.piece_layer(&item.file).await?;
            self.downloads.keep_layer(item.id, layer).await?
        };
        let (part, plan) = (Arc::clone(&opened.recorder.part), &opened.recorder.plan);
        let folder = &self.downloads.shared.folder;
        let missing = || lock(plan).missing();
        let watching = watch_running(folder, move |dir| part.must_be_in(dir), missing);
        let fetching = fetch::fetch(stream, &layer, &opened.recorder, watching, &item.token);
        watched(fetching, || drop(self.downloads.get(item.id))).await?;
        self.complete(batch, item, opened.recorder.part).await
    }

    /// All pieces are there: the file gets its name.
    async fn complete(&self, batch: &Batch, item: &Item, part: Arc<PartFile>) -> Result<(), Failure> {
        let conflict = batch.begin_to_complete(item)?;
        let name = self.downloads.blocking(move || Ok(part.finish(conflict)?)).await?;
        self.finish(batch, item, &name)
    }

    async fn fetch_folder(&self, stream: &mut Requester, batch: &Batch, item: &Item) -> Result<(), Failure> {
        let fetching = self.downloads.fetch_tree(stream, batch, item);
        let name = watched(fetching, || drop(self.downloads.get(item.id))).await?;
        self.finish_folder(batch, item, &name).await
    }

    async fn finish_folder(&self, batch: &Batch, item: &Item, name: &SafeName) -> Result<(), Failure> {
        self.finish(batch, item, name)?;
        self.downloads.forget_listing(item.id).await;
        Ok(())
    }

    fn finish(&self, batch: &Batch, item: &Item, name: &SafeName) -> Result<(), Failure> {
        let path = self.downloads.shared.parts.directory.join(name.as_str());
        let finished = batch.change(item, |entry| entry.finish(path));
        finished.ok_or(Failure::Cancelled)
    }

    /// What becomes of a batch whose introduction or stream failed.
    async fn settle(&self, batch: &Batch, failure: &Failure, has_progress: bool) {
        if let Failure::Setback(Setback::Declined { reason, .. }) = failure
            && matches!(reason, DeclineReason::FileGone | DeclineReason::SourceChanged)
            && batch.wanted().count() > 1
        {
            return batch.ask_one_by_one();
        }
        for item in batch.wanted() {
            self.settle_one(batch, item, failure, has_progress).await;
        }
    }

    /// What becomes of one download over a failure. `has_progress`: the stream had brought something.
    async fn settle_one(&self, batch: &Batch, item: &Item, failure: &Failure, has_progress: bool) {
        info!(cause = ?failure.cause(), "a source could not be used");
        match failure {
            Failure::Cancelled => {}
            Failure::Setback(setback) => batch.meet(item, setback, has_progress),
            trouble => {
                if !self.downloads.held_for(batch, item, trouble).await {
                    batch.fail(item, trouble);
                }
            }
        }
    }
}
