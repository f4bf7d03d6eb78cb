//! Notices changes in the shares as they happen, and asks for a look at what changed.
//!
//! ```text
//! inotify ─▶ debouncer (until a path is quiet) ─▶ Scope of the change ─▶ agenda: these paths, or everything
//! ```
//!
//! It only ever asks: what is shared is decided by the scan that follows, by the rules of every other scan. So
//! an event too many costs a look, and one that is missed waits for the periodic scan. The system's limit of
//! watches may be lower than a share has folders; then the periodic scan serves alone there.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    Config, EventKind, RecommendedWatcher, RecursiveMode,
    event::{AccessKind, AccessMode},
};
use notify_debouncer_full::{DebounceEventResult, DebouncedEvent, Debouncer, NoCache, new_debouncer_opt};
use protocol::limits::FILE_SIZE_MAX;

use super::{Shared, index::Index, path_guard::Location, walker};

/// How long a path has to be quiet: a copy that is still being written is not hashed over and over.
const QUIET: Duration = Duration::from_secs(1);

type Watching = Debouncer<RecommendedWatcher, NoCache>;

/// The watches over the shares. They end when this is dropped.
#[derive(Default)]
pub(super) struct Watcher {
    watching: Option<Watching>,
    folders: Vec<Arc<Path>>,
    /// Of them: a folder whose disk is away, or that the system has no watches left for.
    unwatched: Vec<Arc<Path>>,
    told: Arc<Told>,
}

/// Whether the person knows that not every change is noticed at once. Once is enough: it does not mend itself.
#[derive(Default)]
struct Told(AtomicBool);

impl Told {
    fn tell(&self, error: &notify::Error) {
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let way_out = match error.kind {
            notify::ErrorKind::MaxFilesWatch => {
                "; raise fs.inotify.max_user_watches to have them noticed at once"
            }
            _ => "",
        };
        tracing::warn!("some changes in the shares are noticed by the periodic scan only: {error}{way_out}");
    }
}

impl Watcher {
    /// Watches these folders from now on, and no others. To be called before they are walked, so that no change
    /// falls between. Blocks: it visits every folder in them.
    pub(super) fn follow(&mut self, shared: &Arc<Shared>, folders: &[Arc<Path>]) {
        if self.folders != folders {
            self.folders = folders.to_vec();
            self.unwatched = folders.to_vec();
            self.watching = self.start(shared).inspect_err(|error| self.told.tell(error)).ok();
        }
        let Some(watching) = &mut self.watching else { return };
        self.unwatched.retain(|folder| match watching.watch(folder, RecursiveMode::Recursive) {
            Ok(()) => false,
            Err(error) => {
                self.told.tell(&error);
                true
            }
        });
    }

    fn start(&self, shared: &Arc<Shared>) -> notify::Result<Watching> {
        let (shared, told) = (Arc::downgrade(shared), Arc::clone(&self.told));
        let handle = move |result: DebounceEventResult| on_changes(&shared, &told, result);
        // A link is not shared, so what lies behind it is not watched.
        let config = Config::default().with_follow_symlinks(false);
        new_debouncer_opt(QUIET, None, handle, NoCache, config)
    }
}

/// On the debouncer's thread. The library may have gone meanwhile.
fn on_changes(shared: &Weak<Shared>, told: &Told, result: DebounceEventResult) {
    let Some(shared) = shared.upgrade() else { return };
    match result {
        Ok(events) => match scope(&events, &shared.folders(), &shared.index()) {
            Scope::Everything => shared.ask_everything(),
            Scope::Locations(locations) if locations.is_empty() => {}
            Scope::Locations(locations) => shared.ask(locations),
        },
        // New folders could not be watched. What is in them now is found by a scan.
        Err(errors) => {
            for error in &errors {
                told.tell(error);
            }
            shared.ask_everything();
        }
    }
}

/// How much is to be looked at.
#[derive(Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    Locations(Vec<Location>),
}

fn scope(events: &[DebouncedEvent], folders: &[Arc<Path>], index: &Index) -> Scope {
    let mut locations = Vec::new();
    for event in events {
        if event.need_rescan() {
            return Scope::Everything;
        }
        if !may_change_content(event.kind) {
            continue;
        }
        for path in &event.paths {
            // Shares inside shares see the same change each.
            for folder in folders {
                let Some(path) = inside(folder, path) else { continue };
                match look(folder, path, index) {
                    Look::Nothing => {}
                    Look::At(location) => locations.push(location),
                    Look::Everywhere => return Scope::Everything,
                }
            }
        }
    }
    Scope::Locations(locations)
}

/// Reading is no change. Without this, hashing a file would ask for it to be looked at again.
fn may_change_content(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

/// The path in the share, unless it is of a kind that is never shared.
fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix(folder).ok()?;
    let passed_over = path.components().any(|component| walker::is_passed_over(component.as_os_str()));
    (!passed_over).then(|| path.to_owned())
}

enum Look {
    Nothing,
    At(Location),
    Everywhere,
}

/// An event says little of what is at the path by now, so the path is asked. A folder that came or went takes
/// with it any number of files, of which no event tells.
fn look(folder: &Arc<Path>, path: PathBuf, index: &Index) -> Look {
    let there = folder.join(&path).symlink_metadata();
    let location = Location { share: Arc::clone(folder), path };
    match there {
        Ok(metadata) if metadata.is_dir() => Look::Everywhere,
        Ok(metadata) if metadata.is_file() && metadata.len() <= FILE_SIZE_MAX => Look::At(location),
        // Nothing to share is there now. What was there before is to go.
        _ if index.at(&location).is_some() => Look::At(location),
        _ if index.has_below(&location) => Look::Everywhere,
        _ => Look::Nothing,
    }
}
