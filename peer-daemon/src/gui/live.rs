//! What happens, as it happens: one JSON document a line, a new one when something has changed.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use futures_util::stream;
use protocol::{
    Code,
    control::{Download, SCHEMA, Status, Upload},
    id::GuiSession,
};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{door::Door, guard::session_of};
use crate::{
    clock,
    control::{ControlError, Controls},
};

/// A person sees no more than this many changes a second, and reading the state costs little.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A line is sent even without news, so that both sides notice when the other is gone.
const QUIET_MAX: Duration = Duration::from_secs(10);
/// Streams at a time: one for each tab that is looked at.
const STREAMS_MAX: usize = 32;

/// What the page shows.
#[derive(Serialize)]
struct Scene {
    schema: u32,
    status: Status,
    downloads: Vec<Download>,
    uploads: Vec<Upload>,
}

/// Bounds the streams.
pub(super) struct Streams(Arc<Semaphore>);

impl Streams {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

pub(super) async fn live(
    controls: Data<Controls>,
    door: Data<Door>,
    streams: Data<Streams>,
    request: HttpRequest,
) -> Result<HttpResponse, ControlError> {
    let session = session_of(request.headers()).ok_or(Code::TokenInvalid)?;
    let permit = Arc::clone(&streams.0)
        .try_acquire_owned()
        .map_err(|_| ControlError::new(Code::RateLimited, "the page is open too many times"))?;
    let watch = Watch { controls, door, session, last: String::new(), sent: clock::now(), _permit: permit };
    let lines = stream::unfold(watch, async |mut watch| {
        let line = watch.next_line().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(Box::pin(lines)))
}

struct Watch {
    controls: Data<Controls>,
    door: Data<Door>,
    session: GuiSession,
    last: String,
    sent: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    /// The next line; none once the session or the daemon ends.
    async fn next_line(&mut self) -> Option<Bytes> {
        loop {
            if !self.last.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = self.controls.token.cancelled() => return None,
                }
            }
            if !self.door.admits(&self.session) {
                return None;
            }
            let line = self.look()?;
            let now = clock::now();
            if line != self.last || now.duration_since(self.sent) >= QUIET_MAX {
                self.sent = now;
                self.last.clone_from(&line);
                return Some(Bytes::from(line));
            }
        }
    }

    fn look(&self) -> Option<String> {
        let scene = Scene {
            schema: SCHEMA,
            status: self.controls.status(),
            downloads: self.controls.downloads(),
            uploads: self.controls.uploads(),
        };
        serde_json::to_string(&scene).ok().map(|text| text + "\n")
    }
}
