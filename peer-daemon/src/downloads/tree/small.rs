//! The small files of a folder: each is received whole, and found right before it gets its name.
//!
//! Those that are side by side are asked for together; a blocking thread beside it hashes and writes them, a bounded
//! number of files behind. So a file costs no way there and back, no hop between threads of its own and no sync.

use std::{ops::Range, sync::Arc};

use hyper::body::Bytes;
use protocol::{FileId, FolderContent, root::PieceLayer};
use tokio::sync::mpsc::{self, Sender};

use super::{account::lock, contents::Contents, recorder::TreeRecorder};
use crate::{
    downloads::failure::Failure,
    peer_stream::client::{FileBody, Requester, StreamError},
};

/// Files between the stream and the disk: at up to 1 MiB each, 16 MiB at most.
pub(super) const FILES_AHEAD: usize = 16;

/// A file as it came, by its number.
pub(super) struct Arrival {
    pub(super) number: usize,
    pub(super) content: Vec<Bytes>,
}

/// The bytes of one file, of which nothing is known but that they are as many as they should be.
pub(super) async fn receive(stream: &mut Requester, file: &FileId) -> Result<Vec<Bytes>, StreamError> {
    let mut content = Vec::new();
    // All empty files are one.
    if file.size > 0 {
        let mut body = stream.fetch(file, 0..file.size).await?;
        while let Some(chunk) = body.chunk().await? {
            content.push(chunk);
        }
    }
    Ok(content)
}

/// Neighbours in the listing, by their numbers.
pub(super) struct Run<'a> {
    pub(super) folder: &'a FileId,
    pub(super) content: &'a FolderContent,
    pub(super) files: Range<usize>,
}

impl Run<'_> {
    /// All of them with one request. Passes each on as it comes; ends early where nobody takes them any more.
    pub(super) async fn receive(
        &self,
        stream: &mut Requester,
        files: &Sender<Arrival>,
    ) -> Result<(), StreamError> {
        let mut body = match self.content.bytes_of(&self.files) {
            // All of them are empty.
            nothing if nothing.is_empty() => None,
            bytes => Some(stream.fetch_run(self.folder, self.content.size(), bytes).await?),
        };
        let mut chunk = Bytes::new();
        for number in self.files.clone() {
            let bytes = self.content.bytes_of(&(number..number + 1));
            let (mut missing, mut content) = (bytes.end - bytes.start, Vec::new());
            while missing > 0 {
                if chunk.is_empty() {
                    chunk = next(&mut body).await?.ok_or(StreamError::Lost)?;
                }
                let part = chunk.split_to(usize::try_from(missing).unwrap_or(usize::MAX).min(chunk.len()));
                missing -= part.len() as u64;
                content.push(part);
            }
            if files.send(Arrival { number, content }).await.is_err() {
                return Err(StreamError::Lost);
            }
        }
        // What is not read to its end is no stream any more.
        next(&mut body).await.map(|_end| ())
    }
}

async fn next(body: &mut Option<FileBody<'_>>) -> Result<Option<Bytes>, StreamError> {
    match body {
        Some(body) => body.chunk().await,
        None => Ok(None),
    }
}

/// Checks and writes what comes.
pub(super) struct SmallFiles {
    pub(super) recorder: TreeRecorder,
    pub(super) contents: Arc<Contents>,
}

impl SmallFiles {
    /// Blocks until no more come.
    pub(super) fn write_all(self, mut arrivals: mpsc::Receiver<Arrival>) -> Result<(), Failure> {
        while let Some(arrival) = arrivals.blocking_recv() {
            self.write(&arrival)?;
        }
        Ok(())
    }

    fn write(&self, Arrival { number, content }: &Arrival) -> Result<(), Failure> {
        let (TreeRecorder { account, tree, group, .. }, number) = (&self.recorder, *number);
        let Some(file) = self.contents.files().get(number) else { return Ok(()) };
        if is_right(&file.id, content) {
            tree.put(&file.place, content, || lock(account).mark_there(number))?;
            group.add(file.id.size);
        } else {
            lock(account).mark_wrong(number);
        }
        Ok(())
    }
}

/// The root of a file of one piece is that piece's hash.
fn is_right(file: &FileId, content: &[Bytes]) -> bool {
    let Ok(layer) = PieceLayer::verify(file, &[]) else { return false };
    if file.size == 0 {
        return content.is_empty();
    }
    let mut check = layer.piece_check(0);
    for bytes in content {
        check.update(bytes);
    }
    check.finish()
}
