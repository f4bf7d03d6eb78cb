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

use std::time::Duration;

use protocol::{IntroductionId, SafeName, Username, control::DownloadState};
use tracing::info;

use super::{
    Downloads,
    batch::{Batch, Item},
    failure::Failure,
    fetch,
    introduce::Introducing,
    parts::Opened,
    setback::Setback,
    step::Step,
};
use crate::{peer_stream::client::Requester, searches::Source, transfer_rate::watched};

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
            let items = self.downloads.book().next_batch(&self.username);
            if items.is_empty() {
                return;
            }
            let items = self.downloads.admit(items).await;
            if items.is_empty() {
                continue;
            }
            let batch = Batch::new(self.downloads.clone(), items);
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
        for item in batch.wanted() {
            // An earlier one of them, or somebody else, may have filled the disk.
            if !self.downloads.is_admitted(batch, item).await {
                continue;
            }
            batch.take(item, Step::Transferring);
            match self.fetch_one(&mut stream, batch, item).await {
                Ok(()) => info!("a download is finished"),
                Err(Failure::Setback(setback)) if setback.is_about_the_file() => {
                    batch.fail(item, &setback.into());
                }
                Err(Failure::Setback(setback @ (Setback::StreamLost | Setback::StreamSilent))) => {
                    return Err(setback.into());
                }
                // In the middle of a response: the rest of the batch takes another stream.
                Err(Failure::Cancelled) => break,
                Err(failure) => {
                    if !self.downloads.held_for(batch, item, &failure).await {
                        batch.fail(item, &failure);
                    }
                    break;
                }
            }
        }
        stream.close().await;
        batch.requeue();
        Ok(())
    }

    async fn fetch_one(&self, stream: &mut Requester, batch: &Batch, item: &Item) -> Result<(), Failure> {
        let opened = match self.downloads.open_part(item, batch).await? {
            Opened::Part(opened) => opened,
            Opened::Whole(name) => return self.finish(batch, item, &name),
        };
        let layer = if let Some(layer) = opened.layer {
            layer
        } else {
            let layer = stream.piece_layer(&item.file).await?;
            self.downloads.keep_layer(item.id, layer).await?
        };
        let folder = &self.downloads.shared.folder;
        let fetching = fetch::fetch(stream, &layer, &opened.recorder, folder, &item.token);
        watched(fetching, || drop(self.downloads.get(item.id))).await?;
        batch.take(item, Step::Verifying);
        let part = opened.recorder.part;
        let finishing = tokio::task::spawn_blocking(move || part.finish());
        let name = finishing.await.map_err(|_| Failure::Worker)??;
        self.finish(batch, item, &name)
    }

    fn finish(&self, batch: &Batch, item: &Item, name: &SafeName) -> Result<(), Failure> {
        let path = self.downloads.shared.parts.directory.join(name.as_str());
        let finished = batch.change(item, |entry| {
            entry.part = None;
            entry.remains = None;
            entry.finish(path);
        });
        finished.ok_or(Failure::Cancelled)
    }

    /// What becomes of a batch whose introduction or stream failed.
    async fn settle(&self, batch: &Batch, failure: Failure) {
        info!(cause = ?failure.cause(), "a source could not be used");
        match failure {
            Failure::Cancelled => {}
            Failure::Setback(setback @ (Setback::StreamLost | Setback::StreamSilent)) => {
                self.try_again(batch, &setback).await;
            }
            Failure::Setback(setback @ (Setback::NoWord | Setback::NoDialBack)) => {
                self.look_elsewhere(batch, &setback).await;
            }
            failure => batch.fail_all(&failure),
        }
    }

    /// After a stream that broke off: a pause, a search for whoever has the file now, and another try.
    async fn try_again(&self, batch: &Batch, setback: &Setback) {
        let tries = batch.count_lost_stream();
        if tries >= LOST_STREAMS_MAX {
            let spent = Setback::TriesSpent { tries, last: setback.to_string() };
            return batch.fail_all(&spent.into());
        }
        let pause = LOST_STREAM_PAUSE * 2_u32.pow(tries - 1);
        batch.wait(setback, pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = batch.all_cancelled() => return,
        }
        for item in batch.wanted() {
            let found = self.search_sources(item).await;
            let same = found.iter().find(|source| source.username == self.username);
            self.downloads.ask_again(item, same.or(found.first()).cloned());
        }
    }

    /// After a source that gave no word: another one, or the same with other keys. Where nobody is found, a
    /// download that had a stream before tries again, for the source may just be starting; another one fails.
    async fn look_elsewhere(&self, batch: &Batch, setback: &Setback) {
        let mut had_stream = false;
        for item in batch.wanted() {
            batch.wait_one(item, setback, Duration::ZERO);
            batch.take(item, Step::Seeking);
            let tried = batch.change(item, |entry| {
                entry.gone.insert((entry.source.username.clone(), entry.source.reply_key));
                (entry.gone.clone(), entry.life().had_stream() || entry.remains.is_some())
            });
            let Some((gone, has_history)) = tried else { continue };
            let mut found = self.search_sources(item).await;
            found.retain(|source| !gone.contains(&(source.username.clone(), source.reply_key)));
            if let Some(source) = found.into_iter().next() {
                self.downloads.ask_again(item, Some(source));
            } else if has_history {
                had_stream = true;
                batch.change(item, |entry| entry.gone.clear());
            } else {
                batch.fail(item, &setback.clone().into());
            }
        }
        if had_stream {
            let waiting = batch.only(DownloadState::Requesting);
            self.try_again(&waiting, setback).await;
        }
    }

    async fn search_sources(&self, item: &Item) -> Vec<Source> {
        let searches = &self.downloads.shared.parts.searches;
        // A coordinator that is away finds nobody; the try that follows waits for it.
        searches.find_sources(&item.file, SOURCE_SEARCH).await.unwrap_or_default()
    }
}
