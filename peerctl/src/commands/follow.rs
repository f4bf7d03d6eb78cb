//! Following downloads to their end: what `get` and `wait` have in common.

use std::time::{Duration, Instant};

use protocol::control::{Cause, Download, DownloadState, Downloads, ExitCode, SCHEMA};

use crate::{
    client::Client, clock, error::Error, interrupt::Interrupt, output::Output, transfer::Transfer, view::View,
};

/// A bar is drawn anew this often; more often nobody sees.
const REDRAW: Duration = Duration::from_millis(250);
/// Where nothing moves, each call waits this long for the end of a download.
const CALL_WAIT: Duration = Duration::from_secs(1);

/// Shows progress until all have ended, then says how; Ctrl-C and the deadline leave the downloads running.
pub(super) async fn follow(
    client: &Client,
    ids: Vec<String>,
    deadline: Option<Instant>,
    output: &Output,
) -> Result<(), Error> {
    let mut view = View::new(output, "downloads");
    let mut interrupt = Interrupt::listen()?;
    let ended = tokio::select! {
        ended = until_the_end(client, &ids, deadline, output, &mut view) => ended,
        () = interrupt.pressed() => Err(Error::Interrupted { ids }),
    };
    view.finish();
    conclude(ended?, output)
}

async fn until_the_end(
    client: &Client,
    ids: &[String],
    deadline: Option<Instant>,
    output: &Output,
    view: &mut View<'_>,
) -> Result<Vec<Download>, Error> {
    let mut ended: Vec<Option<Download>> = ids.iter().map(|_| None).collect();
    loop {
        let mut held_by = Vec::new();
        for (id, place) in ids.iter().zip(&mut ended).filter(|(_, place)| place.is_none()) {
            let wait = if output.may_animate() { Duration::ZERO } else { call_wait(deadline) };
            let reply = client.download(id, wait).await?;
            let download = single(reply.value)?;
            view.show(&reply.text, &[Transfer::from(&download)])?;
            held_by.extend(download.cause.filter(|_| download.state == DownloadState::Paused));
            *place = Some(download).filter(|download| download.state.has_ended());
        }
        let running: Vec<_> =
            ids.iter().zip(&ended).filter(|(_, place)| place.is_none()).map(|(id, _)| id.clone()).collect();
        if running.is_empty() {
            return Ok(ended.into_iter().flatten().collect());
        }
        if deadline.is_some_and(|deadline| clock::now() >= deadline) {
            let are_all_held = held_by.len() == running.len();
            let held_by = held_by.first().copied().filter(|_| are_all_held);
            return Err(Error::TimedOut { ids: running, held_by });
        }
        tokio::time::sleep(REDRAW).await;
    }
}

/// Not beyond the deadline; in whole seconds, as the call takes it.
fn call_wait(deadline: Option<Instant>) -> Duration {
    let left = deadline.map_or(CALL_WAIT, |deadline| deadline.saturating_duration_since(clock::now()));
    if left < CALL_WAIT { Duration::ZERO } else { CALL_WAIT }
}

/// The one entry of a document about one download.
pub(super) fn single(downloads: Downloads) -> Result<Download, Error> {
    downloads.downloads.into_iter().next().ok_or_else(|| Error::Unreadable("it has no download".to_owned()))
}

/// Paths on stdout, reasons on stderr; the exit code is the first failure's.
fn conclude(downloads: Vec<Download>, output: &Output) -> Result<(), Error> {
    let mut failure = None;
    for download in &downloads {
        let Some(code) = exit_code(download) else {
            if !output.json() {
                output.line(&download.path)?;
            }
            continue;
        };
        failure.get_or_insert(code);
        output.note(&format!("{}: {}", download.name, Transfer::from(download).standing()));
    }
    if output.json() && !output.streams() {
        let document = serde_json::to_string(&Downloads { schema: SCHEMA, downloads });
        output.document(&document.map_err(|error| Error::Unreadable(error.to_string()))?)?;
    }
    failure.map_or(Ok(()), |code| Err(Error::DownloadsFailed(code)))
}

/// `None` when it is finished.
fn exit_code(download: &Download) -> Option<ExitCode> {
    match download.state {
        DownloadState::Finished => None,
        DownloadState::Failed => Some(download.cause.unwrap_or(Cause::Other).into()),
        _ => Some(ExitCode::Other),
    }
}
