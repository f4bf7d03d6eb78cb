//! A range of a file as a response body: read ahead on a blocking thread, checked before it is sent; or in memory.
//!
//! A file that changes while it is sent must not arrive as a mix of two versions. So it is looked at after
//! each read and before what was read is handed on; once it has changed, the body breaks off.

use std::{
    io,
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use protocol::byte_range::ByteRange;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{
    limits::{FILE_CHUNK_BYTES, FILE_CHUNKS_AHEAD},
    progress::ServeProgress,
    shelf::ShelfFile,
};

/// The body. Its thread, if it has one, ends with it.
#[derive(Debug)]
pub(super) struct FileBytes {
    chunks: Chunks,
    remaining: u64,
    progress: Arc<ServeProgress>,
}

#[derive(Debug)]
enum Chunks {
    /// All that is left.
    InMemory(Bytes),
    Read(mpsc::Receiver<io::Result<Bytes>>),
}

impl FileBytes {
    /// Of a file that is in memory.
    pub(super) fn within(content: &Bytes, range: ByteRange, progress: Arc<ServeProgress>) -> Self {
        let range = range.exclusive();
        let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
        Self::of(content.slice(bound(range.start)..bound(range.end)), progress)
    }

    pub(super) fn of(content: Bytes, progress: Arc<ServeProgress>) -> Self {
        Self { remaining: content.len() as u64, chunks: Chunks::InMemory(content), progress }
    }

    pub(super) fn read(
        file: impl ShelfFile,
        range: ByteRange,
        progress: Arc<ServeProgress>,
        tracker: &TaskTracker,
    ) -> Self {
        let range = range.exclusive();
        let remaining = range.end - range.start;
        let (sender, chunks) = mpsc::channel(FILE_CHUNKS_AHEAD);
        let noted = Arc::clone(&progress);
        tracker.spawn_blocking(move || {
            let mut at = range.start;
            while at < range.end {
                let chunk = read_chunk(&file, at, range.end, &noted);
                let is_last = chunk.is_err();
                at += chunk.as_ref().map_or(0, |bytes| bytes.len() as u64);
                // Nobody receives any more: the stream ended.
                if sender.blocking_send(chunk).is_err() || is_last {
                    return;
                }
            }
        });
        Self { chunks: Chunks::Read(chunks), remaining, progress }
    }
}

fn read_chunk(file: &impl ShelfFile, at: u64, end: u64, progress: &ServeProgress) -> io::Result<Bytes> {
    let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(FILE_CHUNK_BYTES);
    let chunk = read_unchanged(file, at, length)?;
    if chunk.is_none() {
        progress.note_source_changed();
    }
    chunk.ok_or_else(|| io::Error::other("the file changed while it was being sent"))
}

/// `None` where they are not those of the file any more. Blocks.
pub(super) fn read_unchanged(file: &impl ShelfFile, at: u64, length: usize) -> io::Result<Option<Bytes>> {
    let mut chunk = vec![0; length];
    let read = file.file().read_exact_at(&mut chunk, at);
    // A file that was cut short has changed too. It is asked in any case: that has it looked at anew.
    let is_cut_short = matches!(&read, Err(error) if error.kind() == io::ErrorKind::UnexpectedEof);
    if !file.is_unchanged()? || is_cut_short {
        return Ok(None);
    }
    read.map(|()| Some(chunk.into()))
}

impl Body for FileBytes {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let next = match &mut self.chunks {
            Chunks::InMemory(rest) => Some(Ok(rest.split_to(rest.len().min(FILE_CHUNK_BYTES)))),
            Chunks::Read(chunks) => ready!(chunks.poll_recv(cx)),
        };
        Poll::Ready(Some(match next {
            Some(Ok(chunk)) => {
                self.remaining -= chunk.len() as u64;
                self.progress.add_sent(chunk.len() as u64);
                Ok(Frame::data(chunk))
            }
            Some(Err(error)) => Err(error),
            None => Err(io::Error::other("the reading thread ended early")),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
