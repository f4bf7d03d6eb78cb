//! One task a source: asks it for what is wanted of it, until nothing is.
//!
//! ```text
//!  batch ─▶ send introduction ─▶ no word in 10 s: look for another source
//!                ▲   │ queued: send again every 45 s     │ declined: failed
//!                │   ▼ accepted: a stream within 15 s, or dial_me
//!                │  stream ─▶ slot taken? close it (that defers), wait for the slot, send again
//!                │   ▼
//!                └─ lost: 5 tries ◀─ fetch file after file ─▶ finished
//! ```

use std::{sync::Arc, time::Duration};

use protocol::{FileId, IntroductionId, Username, control::DownloadState};
use tracing::info;

use super::{
    Downloads,
    assemble::PartFile,
    batch::Batch,
    entry::{DownloadId, SharedPlan},
    failure::Failure,
    fetch,
    introduce::Introducing,
};
use crate::{peer_stream::client::Requester, searches::Source};

/// Streams of one download that may break off before it fails.
const LOST_STREAMS_MAX: u32 = 5;
/// Before the second try; doubled with each further one.
const LOST_STREAM_PAUSE: Duration = Duration::from_secs(1);
/// How long another source is looked for; a search lives 10 s, and who has the file answers soon.
const SOURCE_SEARCH: Duration = Duration::from_secs(3);

pub(super) struct SourceTask {
    downloads: Downloads,
    username: Username,
}

impl SourceTask {
    pub(super) fn new(downloads: Downloads, username: Username) -> Self {
        Self { downloads, username }
    }

    pub(super) async fn run(self) {
        let token = &self.downloads.shared.parts.token;
        while !token.is_cancelled() {
            let files = self.downloads.book().next_batch(&self.username);
            if files.is_empty() {
                return;
            }
            let batch = Batch::new(self.downloads.clone(), files);
            if let Err(failure) = self.fetch_batch(&batch).await {
                self.settle(&batch, failure).await;
            }
        }
    }

    /// One introduction, one stream, as many files of the batch as it carries.
    async fn fetch_batch(&self, batch: &Batch) -> Result<(), Failure> {
        let id = IntroductionId::random();
        let introducing = Introducing {
            downloads: &self.downloads,
            batch,
            username: &self.username,
            ticket: self.downloads.shared.pending.register(id),
        };
        let introduced = tokio::select! {
            introduced = introducing.run() => introduced,
            () = batch.all_cancelled() => Err(Failure::Cancelled),
        };
        let result = match introduced {
            Ok((stream, _slot)) => self.fetch_files(stream, batch).await,
            Err(failure) => Err(failure),
        };
        // The coordinator may forget it at once, and the target its place.
        let link = self.downloads.shared.parts.link.clone();
        self.downloads.shared.parts.tracker.spawn(async move {
            // It expires by itself if this does not arrive.
            let _expires = link.withdraw_introduction(id).await;
        });
        result
    }

    async fn fetch_files(&self, mut stream: Requester, batch: &Batch) -> Result<(), Failure> {
        for (id, file) in &batch.files {
            if batch.token(*id).is_none() {
                continue;
            }
            batch.update(*id, DownloadState::Transferring, None);
            match self.fetch_one(&mut stream, batch, *id, file).await {
                Ok(()) => info!("a download is finished"),
                Err(failure) if failure.is_about_the_file() => {
                    batch.fail(*id, &failure);
                    batch.discard(*id).await;
                }
                Err(failure @ Failure::StreamLost { .. }) => return Err(failure),
                // In the middle of a response: the rest of the batch takes another stream.
                Err(failure) => {
                    batch.fail(*id, &failure);
                    batch.discard(*id).await;
                    break;
                }
            }
        }
        stream.close().await;
        batch.requeue();
        Ok(())
    }

    async fn fetch_one(
        &self,
        stream: &mut Requester,
        batch: &Batch,
        id: DownloadId,
        file: &FileId,
    ) -> Result<(), Failure> {
        let token = batch.token(id).ok_or(Failure::Cancelled)?;
        let (plan, part) = self.part_of(id).await?;
        fetch::fetch(stream, file, &plan, &part, &token).await?;
        batch.update(id, DownloadState::Verifying, None);
        drop(self.downloads.book().get_mut(id).and_then(|entry| entry.part.take()));
        let part = Arc::into_inner(part).ok_or(Failure::Worker)?;
        let finishing = tokio::task::spawn_blocking(move || part.finish());
        let name = finishing.await.map_err(|_| Failure::Worker)??;
        let path = self.downloads.shared.parts.directory.join(name.as_str());
        if let Some(entry) = self.downloads.book().get_mut(id) {
            entry.finish(path);
        }
        self.downloads.note_change();
        Ok(())
    }

    /// The plan and the part file of a download; the file is made the first time.
    async fn part_of(&self, id: DownloadId) -> Result<(SharedPlan, Arc<PartFile>), Failure> {
        let (plan, part, name) = {
            let mut book = self.downloads.book();
            let entry = book.get_mut(id).ok_or(Failure::Worker)?;
            (Arc::clone(&entry.plan), entry.part.clone(), entry.name())
        };
        if let Some(part) = part {
            return Ok((plan, part));
        }
        let folder = Arc::clone(&self.downloads.shared.folder);
        let creating = tokio::task::spawn_blocking(move || PartFile::create(&folder, &name));
        let part = Arc::new(creating.await.map_err(|_| Failure::Worker)??);
        if let Some(entry) = self.downloads.book().get_mut(id) {
            entry.part = Some(Arc::clone(&part));
        }
        Ok((plan, part))
    }

    /// What becomes of a batch whose introduction or stream failed.
    async fn settle(&self, batch: &Batch, failure: Failure) {
        info!(cause = ?failure.cause(), "a source could not be used");
        match failure {
            Failure::StreamLost { source, .. } => {
                let tries = batch.count_lost_stream();
                if tries >= LOST_STREAMS_MAX {
                    return batch.fail_all(&Failure::StreamLost { tries, source }).await;
                }
                let reason = format!("{source}; trying again ({} of {LOST_STREAMS_MAX})", tries + 1);
                batch.update_all(DownloadState::Waiting, Some(&reason));
                tokio::select! {
                    () = tokio::time::sleep(LOST_STREAM_PAUSE * 2_u32.pow(tries - 1)) => {}
                    () = batch.all_cancelled() => {}
                }
                self.look_for_sources(batch, None).await;
            }
            Failure::SourceGone => self.look_for_sources(batch, Some(&Failure::SourceGone)).await,
            failure => batch.fail_all(&failure).await,
        }
    }

    /// Searches by root for whoever has the files: the same source with fresh keys, or another one. Where
    /// nobody is found, the download fails with `otherwise`, or tries the source that it has.
    async fn look_for_sources(&self, batch: &Batch, otherwise: Option<&Failure>) {
        for (id, file) in &batch.files {
            if batch.token(*id).is_none() {
                continue;
            }
            if otherwise.is_some()
                && let Some(entry) = self.downloads.book().get_mut(*id)
            {
                let gone = (entry.source.username.clone(), entry.source.reply_key);
                entry.gone.insert(gone);
                entry.move_to(DownloadState::Requesting, Some("looking for another source".to_owned()));
            }
            let found = self.downloads.shared.parts.searches.find_sources(file, SOURCE_SEARCH).await;
            self.adopt(batch, *id, &found.unwrap_or_default(), otherwise).await;
        }
    }

    async fn adopt(&self, batch: &Batch, id: DownloadId, found: &[Source], otherwise: Option<&Failure>) {
        let next = {
            let mut book = self.downloads.book();
            let Some(entry) = book.get_mut(id) else { return };
            let usable =
                |source: &&Source| !entry.gone.contains(&(source.username.clone(), source.reply_key));
            let same = found.iter().filter(usable).find(|source| source.username == self.username);
            same.or_else(|| found.iter().find(usable)).cloned()
        };
        match (next, otherwise) {
            (Some(source), _) => self.downloads.ask_again(id, Some(source)),
            (None, Some(failure)) => {
                batch.fail(id, failure);
                batch.discard(id).await;
            }
            (None, None) => self.downloads.ask_again(id, None),
        }
    }
}
