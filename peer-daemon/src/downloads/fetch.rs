//! Fetches one file over an established stream: every piece is checked on arrival, before it counts.
//!
//! The stream is read on an async task; hashing and writing happen on a blocking thread beside it, a bounded
//! number of chunks behind, so that network, hash and disk work at the same time.

use std::{
    ops::Range,
    sync::{Arc, MutexGuard, PoisonError},
};

use hyper::body::Bytes;
use protocol::root::PieceLayer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    content::SharedPlan,
    failure::Failure,
    plan::{Plan, WrongPiece},
    recorder::Recorder,
    setback::Setback,
};
use crate::peer_stream::client::{FileBody, Requester};

/// Chunks between the stream and the disk. At up to some 100 KiB each, a few MiB: enough to ride out a slow
/// write, too little to matter.
const CHUNKS_AHEAD: usize = 32;

/// Fetches what the plan misses. On an error, verified pieces stay in plan and part file, recorded. `watching` ends
/// when the disk does not go on with it.
pub(super) async fn fetch(
    stream: &mut Requester,
    layer: &Arc<PieceLayer>,
    recorder: &Recorder,
    watching: impl Future<Output = Failure>,
    token: &CancellationToken,
) -> Result<(), Failure> {
    lock(&recorder.plan).forgive();
    let fetched = tokio::select! {
        fetched = fetch_runs(stream, layer, recorder, token) => fetched,
        failure = recorder.run() => Err(failure),
        failure = watching => Err(failure),
    };
    if fetched.is_err() {
        // The first failure is the one to tell.
        let _second = recorder.record().await;
    }
    fetched
}

async fn fetch_runs(
    stream: &mut Requester,
    layer: &Arc<PieceLayer>,
    recorder: &Recorder,
    token: &CancellationToken,
) -> Result<(), Failure> {
    let file = layer.file();
    while !token.is_cancelled() {
        let run = lock(&recorder.plan).next_run();
        let Some(run) = run else { return Ok(()) };
        let bytes = lock(&recorder.plan).bytes_of(&run);
        let body = stream.fetch(&file, bytes).await?;
        let writer = PieceWriter { recorder: recorder.clone(), layer: Arc::clone(layer), run };
        receive(body, writer, token).await?;
    }
    Err(Failure::Cancelled)
}

/// Passes a body on to its writer, and waits for both to end.
async fn receive(
    mut body: FileBody<'_>,
    writer: PieceWriter,
    token: &CancellationToken,
) -> Result<(), Failure> {
    let (chunks, arrivals) = mpsc::channel(CHUNKS_AHEAD);
    let writing = tokio::task::spawn_blocking(move || writer.write_all(arrivals));
    let streamed = loop {
        let chunk = tokio::select! {
            chunk = body.chunk() => chunk,
            () = token.cancelled() => break Err(Failure::Cancelled),
        };
        match chunk {
            Ok(Some(chunk)) => {
                // The writer ended: it says below why.
                if chunks.send(chunk).await.is_err() {
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    drop(chunks);
    // What the writer has to tell (a full disk, a lying source) comes before a broken stream.
    writing.await.map_err(|_| Failure::Worker)??;
    streamed
}

/// Writes one run of pieces, each marked once it was found right.
struct PieceWriter {
    recorder: Recorder,
    layer: Arc<PieceLayer>,
    run: Range<u64>,
}

impl PieceWriter {
    fn write_all(self, mut arrivals: mpsc::Receiver<Bytes>) -> Result<(), Failure> {
        let file = self.layer.file();
        let mut offset = file.piece_range(self.run.start).start;
        let mut index = self.run.start;
        let mut check = self.layer.piece_check(index);
        while let Some(mut chunk) = arrivals.blocking_recv() {
            while !chunk.is_empty() {
                let wanted = usize::try_from(check.remaining()).unwrap_or(usize::MAX);
                let part = chunk.split_to(wanted.min(chunk.len()));
                check.update(&part);
                self.recorder.part.write_at(offset, &part)?;
                offset += part.len() as u64;
                if check.remaining() == 0 {
                    self.settle(index, check.finish())?;
                    index += 1;
                    if index == self.run.end {
                        return Ok(());
                    }
                    check = self.layer.piece_check(index);
                }
            }
        }
        Ok(())
    }

    fn settle(&self, index: u64, is_right: bool) -> Result<(), Failure> {
        let mut plan = lock(&self.recorder.plan);
        if is_right {
            plan.mark_verified(index);
            let bytes = self.layer.file().piece_range(index);
            self.recorder.note_piece(bytes.end - bytes.start);
            return Ok(());
        }
        match plan.mark_wrong(index) {
            WrongPiece::FetchAgain => Ok(()),
            WrongPiece::DropSource => Err(Setback::WrongPiece.into()),
        }
    }
}

pub(super) fn lock(plan: &SharedPlan) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}
