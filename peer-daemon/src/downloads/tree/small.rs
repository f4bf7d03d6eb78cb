//! The small files of a folder: each is received whole, and found right before it gets its name.
//!
//! One after the other is asked for over the stream; a blocking thread beside it hashes and writes them, a bounded
//! number of files behind. So a file costs one request, and neither a hop between threads of its own nor a sync.

use std::sync::Arc;

use hyper::body::Bytes;
use protocol::{FileId, root::PieceLayer};
use tokio::sync::mpsc;

use super::{account::lock, contents::Contents, recorder::TreeRecorder};
use crate::{
    downloads::failure::Failure,
    peer_stream::client::{Requester, StreamError},
};

/// Files between the stream and the disk: at up to 1 MiB each, 16 MiB at most.
pub(super) const FILES_AHEAD: usize = 16;

/// A file as it came, by its number.
pub(super) struct Arrival {
    pub(super) number: usize,
    pub(super) content: Vec<Bytes>,
}

/// The bytes of a file, of which nothing is known but that they are as many as they should be.
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
