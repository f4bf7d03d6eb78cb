//! What happens, as it happens: `GET /v1/events`, one JSON document a line.
//!
//! Whoever shows the daemon's state would otherwise ask for five lists again and again. Here they get each list
//! when it has changed, whole, so that a reader keeps no books: what is lost with a stream comes with the next.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data},
};
use futures_util::stream;
use protocol::{
    Code,
    control::{Changes, Download, IncomingRequest, Share, Status, Upload},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{caller::Caller, error::ControlError, handlers::Controls};
use crate::clock;

/// A person sees no more than this many changes a second, and reading the state costs little.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A line is sent even without news, so that both sides notice when the other is gone.
const QUIET_MAX: Duration = Duration::from_secs(10);
/// Shares are looked at when their files have changed, and this often: a look at each folder's disk costs more.
const SHARES_EVERY: Duration = Duration::from_secs(5);
/// Streams at a time through one door: one for each tab that is looked at.
const STREAMS_MAX: usize = 32;

/// Bounds the streams of a door.
pub(crate) struct Streams(Arc<Semaphore>);

impl Streams {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

pub(super) async fn watch(
    controls: Data<Controls>,
    streams: Data<Streams>,
    caller: Caller,
) -> Result<HttpResponse, ControlError> {
    let permit = Arc::clone(&streams.0).try_acquire_owned().map_err(|_| {
        ControlError::new(Code::RateLimited, format!("{STREAMS_MAX} streams of events are open already"))
    })?;
    let watch = Watch {
        controls,
        caller,
        known: Known::default(),
        shares_looked_at: None,
        sent: None,
        _permit: permit,
    };
    let lines = stream::unfold(watch, async |mut watch| {
        let line = watch.next_line().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(Box::pin(lines)))
}

struct Watch {
    controls: Data<Controls>,
    caller: Caller,
    known: Known,
    shares_looked_at: Option<Instant>,
    /// When the last line was.
    sent: Option<Instant>,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// The next line; none once the session or the daemon ends.
    async fn next_line(&mut self) -> Option<Bytes> {
        loop {
            if self.sent.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = self.controls.token.cancelled() => return None,
                }
            }
            if !self.caller.is_admitted() {
                return None;
            }
            let changes = self.look().await;
            let now = clock::now();
            let is_quiet = self.sent.is_some_and(|sent| now.duration_since(sent) < QUIET_MAX);
            if changes != Changes::default() || !is_quiet {
                self.sent = Some(now);
                return serde_json::to_string(&changes).ok().map(|text| Bytes::from(text + "\n"));
            }
        }
    }

    async fn look(&mut self) -> Changes {
        let status = self.controls.status();
        let shares = self.look_at_shares(&status).await;
        self.known.take_in(Seen {
            status,
            downloads: self.controls.downloads(),
            uploads: self.controls.uploads(),
            requests: self.controls.requests(),
            shares,
        })
    }

    /// None when it is not time for it.
    async fn look_at_shares(&mut self, status: &Status) -> Option<Vec<Share>> {
        let of_files = |status: &Status| (status.shared_files, status.shared_bytes, status.scanning);
        let is_as_before =
            self.known.status.as_ref().is_some_and(|known| of_files(known) == of_files(status));
        let now = clock::now();
        let is_recent = self.shares_looked_at.is_some_and(|at| now.duration_since(at) < SHARES_EVERY);
        if is_as_before && is_recent {
            return None;
        }
        self.shares_looked_at = Some(now);
        let library = self.controls.library.clone();
        web::block(move || library.shares().shares).await.ok()
    }
}

/// How all stands at one moment.
struct Seen {
    status: Status,
    downloads: Vec<Download>,
    uploads: Vec<Upload>,
    requests: Vec<IncomingRequest>,
    /// None where nobody has looked.
    shares: Option<Vec<Share>>,
}

/// What the reader knows.
#[derive(Default)]
struct Known {
    status: Option<Status>,
    downloads: Option<Vec<Download>>,
    uploads: Option<Vec<Upload>>,
    requests: Option<Vec<IncomingRequest>>,
    shares: Option<Vec<Share>>,
}

impl Known {
    /// What of it is news. It counts as known from then on.
    fn take_in(&mut self, seen: Seen) -> Changes {
        Changes {
            status: news(&mut self.status, seen.status),
            downloads: news(&mut self.downloads, seen.downloads),
            uploads: news(&mut self.uploads, seen.uploads),
            requests: news(&mut self.requests, seen.requests),
            shares: seen.shares.and_then(|shares| news(&mut self.shares, shares)),
            ..Changes::default()
        }
    }
}

fn news<T: PartialEq + Clone>(known: &mut Option<T>, seen: T) -> Option<T> {
    if known.as_ref() == Some(&seen) {
        return None;
    }
    *known = Some(seen.clone());
    Some(seen)
}

#[cfg(test)]
mod tests {
    use protocol::control::Origin;

    use super::*;

    fn share(files: u64) -> Share {
        Share {
            path: "/music".to_owned(),
            origin: Origin::RunTime,
            files,
            bytes: 1,
            problem: None,
            folders: false,
            whole_folders: 0,
            too_large_folders: 0,
        }
    }

    #[test]
    fn a_part_comes_whole_when_it_has_changed_and_not_otherwise() {
        let mut known = None;
        assert_eq!(news(&mut known, vec![share(1)]), Some(vec![share(1)]), "the first time");
        assert_eq!(news(&mut known, vec![share(1)]), None, "the same again");
        assert_eq!(news(&mut known, vec![share(1), share(2)]), Some(vec![share(1), share(2)]));
        assert_eq!(news(&mut known, Vec::new()), Some(Vec::new()), "nothing left is news");
    }
}
