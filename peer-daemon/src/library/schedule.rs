//! The scan loop: when to scan, and the next try for what did not hold still.
//!
//! Scans are asked for through the [`Agenda`](super::agenda::Agenda): by the start, by a file that was found
//! changed, by the person, by the [watcher](super::watcher) that sees changes happen, and from here every now and
//! then.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{Shared, agenda::Agenda, path_guard::Location, scanner, watcher::Watcher};

/// Changes that nobody reported are noticed after this long: a walk over 100,000 files costs under a second.
const RESCAN_INTERVAL: Duration = Duration::from_mins(10);
/// A file that was being written gets this long to come to rest; doubled each time that it has not.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Scans until cancelled. Only the first scan has to be asked for.
pub(super) async fn run(shared: Arc<Shared>, token: CancellationToken) {
    let mut agenda = shared.agenda.subscribe();
    let mut restless = Restless::default();
    let mut watcher = Watcher::default();
    let mut rescan = interval(RESCAN_INTERVAL);
    rescan.reset();
    loop {
        tokio::select! {
            () = token.cancelled() => break,
            due = async { agenda.wait_for(Agenda::is_due).await.is_ok() } => if !due { break },
            () = sleep(restless.wait), if !restless.locations.is_empty() => {
                shared.agenda.send_modify(|agenda| agenda.ask(restless.locations.iter().cloned()));
            }
            _ = rescan.tick() => shared.agenda.send_modify(Agenda::ask_everything),
        }
        let mut next = None;
        shared.agenda.send_modify(|agenda| next = Some(agenda.take()));
        let Some((job, ticket)) = next else { continue };
        let (scan_shared, scan_token) = (Arc::clone(&shared), token.clone());
        let scan = shared.tracker.spawn_blocking(move || {
            if job.everything {
                watcher.follow(&scan_shared, &scan_shared.folders());
            }
            (scanner::scan(&scan_shared, &job, &scan_token), watcher)
        });
        watcher = match scan.await {
            Ok((report, watcher)) => {
                shared.note(&report);
                restless = restless.next(report.restless);
                watcher
            }
            Err(error) => {
                tracing::error!(%error, "a scan of the shares broke off");
                Watcher::default()
            }
        };
        shared.agenda.send_modify(|agenda| agenda.settle(ticket));
    }
    shared.agenda.send_modify(Agenda::stop);
}

/// Files that changed while they were hashed, and when they get their next try.
#[derive(Debug, Default)]
struct Restless {
    locations: BTreeSet<Location>,
    wait: Duration,
}

impl Restless {
    /// After a scan that met these. A file that never rests (a log) is soon read as seldom as all the others.
    fn next(&self, locations: BTreeSet<Location>) -> Self {
        let again = locations.iter().any(|location| self.locations.contains(location));
        let wait = if again { (self.wait * 2).min(RESCAN_INTERVAL) } else { RETRY_AFTER };
        Self { locations, wait }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Location, RESCAN_INTERVAL, RETRY_AFTER, Restless};

    #[test]
    fn a_file_that_never_rests_is_tried_ever_more_seldom_and_another_one_soon() {
        let location = |name: &str| Location { share: Path::new("/share").into(), path: name.into() };
        let mut restless = Restless::default().next([location("log")].into());
        assert_eq!(restless.wait, RETRY_AFTER);
        for _ in 0..20 {
            let before = restless.wait;
            restless = restless.next([location("log")].into());
            assert_eq!(restless.wait, (before * 2).min(RESCAN_INTERVAL));
        }
        assert_eq!(restless.next([location("other")].into()).wait, RETRY_AFTER);
    }
}
