//! Fetches the files of a folder over one stream: small ones that are side by side together, large ones piece by piece.

use std::{ops::Range, sync::Arc};

use protocol::FileId;
use tokio::{
    sync::mpsc::{self, Sender},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;

use super::{
    account::lock,
    contents::Contents,
    large,
    recorder::TreeRecorder,
    small::{Arrival, FILES_AHEAD, Run, SmallFiles, receive},
};
use crate::{
    downloads::{failure::Failure, setback::Setback},
    peer_stream::client::{Requester, StreamError},
};

pub(in crate::downloads) struct TreeFetch<'a> {
    pub(super) stream: &'a mut Requester,
    pub(super) recorder: &'a TreeRecorder,
    /// What the source knows it by.
    pub(super) folder: &'a FileId,
    pub(super) contents: &'a Arc<Contents>,
    pub(super) token: &'a CancellationToken,
}

impl TreeFetch<'_> {
    /// Returns when all is there that this source gives; a setback tells what it does not give. What has come is
    /// recorded then, whatever the outcome. `watching` ends when the disk does not go on with it.
    pub(super) async fn run(mut self, watching: impl Future<Output = Failure>) -> Result<(), Failure> {
        let recorder = self.recorder;
        let fetched = tokio::select! {
            fetched = self.fetch_all() => fetched,
            failure = recorder.run() => Err(failure),
            failure = watching => Err(failure),
        };
        let last_group = recorder.record().await;
        // The first failure is the one to tell.
        fetched.and(last_group)?;
        match lock(&recorder.account).setback() {
            Some(setback) => Err(setback.into()),
            None => Ok(()),
        }
    }

    /// Round by round: what came wrong in one is asked for again in the next.
    async fn fetch_all(&mut self) -> Result<(), Failure> {
        while !self.token.is_cancelled() {
            let wanted = lock(&self.recorder.account).wanted();
            if wanted.is_empty() {
                return Ok(());
            }
            self.fetch_round(wanted).await?;
        }
        Err(Failure::Cancelled)
    }

    async fn fetch_round(&mut self, wanted: Vec<usize>) -> Result<(), Failure> {
        let (files, arrivals) = mpsc::channel(FILES_AHEAD);
        let writer = SmallFiles { recorder: self.recorder.clone(), contents: Arc::clone(self.contents) };
        let writing = spawn_blocking(move || writer.write_all(arrivals));
        let fetched = self.ask_for(wanted, &files).await;
        drop(files);
        // What the writer has to tell (a full disk) comes before a broken stream.
        writing.await.map_err(|_| Failure::Worker)??;
        fetched
    }

    async fn ask_for(&mut self, wanted: Vec<usize>, files: &Sender<Arrival>) -> Result<(), Failure> {
        for run in self.contents.content().runs(&wanted) {
            let alone = if run.len() > 1 { self.ask_for_run(run, files).await? } else { run };
            for number in alone {
                self.ask_for_one(number, files).await?;
            }
        }
        Ok(())
    }

    /// Several small files with one request. Those are left that have to be asked for one by one: all of them, where
    /// the source does not give one, for it does not say which.
    async fn ask_for_run(
        &mut self,
        run: Range<usize>,
        files: &Sender<Arrival>,
    ) -> Result<Range<usize>, Failure> {
        let run = Run { folder: self.folder, content: self.contents.content(), files: run };
        tokio::select! {
            received = run.receive(self.stream, files) => match received {
                Ok(()) => Ok(0..0),
                Err(StreamError::Refused { .. }) => Ok(run.files.clone()),
                Err(error) => Err(error.into()),
            },
            () = self.token.cancelled() => Err(Failure::Cancelled),
        }
    }

    async fn ask_for_one(&mut self, number: usize, files: &Sender<Arrival>) -> Result<(), Failure> {
        let Some(file) = self.contents.files().get(number) else { return Ok(()) };
        let fetched = if file.is_small() {
            tokio::select! {
                content = receive(self.stream, &file.id) => content.map_err(Failure::from),
                () = self.token.cancelled() => Err(Failure::Cancelled),
            }
        } else {
            large::fetch(self.stream, self.recorder, self.contents, number, self.token)
                .await
                .map(|()| Vec::new())
        };
        match fetched {
            Ok(_) if !file.is_small() => Ok(()),
            // Where the writer has ended, it says why.
            Ok(content) => files.send(Arrival { number, content }).await.map_err(|_| Failure::Worker),
            Err(Failure::Setback(setback)) => self.pass_over(number, setback),
            Err(failure) => Err(failure),
        }
    }

    /// A file that the source does not give must not stop the others, as long as the stream is good for them.
    fn pass_over(&self, number: usize, setback: Setback) -> Result<(), Failure> {
        match setback {
            Setback::FileGone | Setback::SourceChanged | Setback::Refused { .. } => {
                lock(&self.recorder.account).lack(number, setback);
                Ok(())
            }
            // In the middle of a response: the others come over another stream.
            Setback::WrongPiece => {
                lock(&self.recorder.account).lack(number, setback);
                let path = self.contents.files()[number].path.to_string();
                Err(Setback::FilePassedOver { path }.into())
            }
            setback => Err(setback.into()),
        }
    }
}
