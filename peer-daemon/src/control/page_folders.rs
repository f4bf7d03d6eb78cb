//! Which folders the web page may name, to share them and to have downloads put there.
//!
//! A page that falls into the wrong hands must not tell, give away or fill what lies anywhere on the machine. So it is
//! for what is in some folders, and in what is shared already, and there for nothing hidden: hidden folders have keys,
//! and what programs run by themselves. Whether there is anything elsewhere is not told either.

use std::path::{Component, Path, PathBuf};

use protocol::Code;

use super::{caller::Caller, error::ControlError};
use crate::{
    config::settings::Settings,
    library::{self, Library},
};

/// What the page wants with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Others are to see it, or the person is to see what others would.
    Share,
    Downloads,
}

/// Whether the caller may name this folder. Blocks.
pub(super) fn must_be_open_to(
    caller: &Caller,
    path: &Path,
    purpose: Purpose,
    settings: &Settings,
    library: &Library,
) -> Result<(), ControlError> {
    if !caller.is_page() || is_open(path, purpose, settings, library) {
        return Ok(());
    }
    let listed: Vec<_> = settings.gui_folders().iter().map(|folder| folder.display().to_string()).collect();
    let listed = if listed.is_empty() { "no folder".to_owned() } else { listed.join(", ") };
    Err(match purpose {
        Purpose::Share => ControlError::new(
            Code::ShareInvalid,
            format!(
                "the page shares only what is in {listed} (nothing hidden); for other folders: peerctl share add \
                 FOLDER, or gui_folders in the configuration file"
            ),
        ),
        Purpose::Downloads => ControlError::new(
            Code::SettingInvalid,
            format!(
                "the page has downloads put only into what is in {listed} (nothing hidden, nor the daemon's state); \
                 for other folders: peerctl config set download_dir FOLDER, or gui_folders in the configuration file"
            ),
        ),
    })
}

fn is_open(path: &Path, purpose: Purpose, settings: &Settings, library: &Library) -> bool {
    let Some(whole) = without_links(path) else { return false };
    let is_in = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| library::holds(&folder, &whole));
    let is_state = || settings.state_dir().canonicalize().is_ok_and(|state| whole.starts_with(state));
    // To share the state is refused to everybody, with a sentence of its own.
    let is_kept = purpose == Purpose::Downloads && is_state();
    !is_kept && (settings.gui_folders().iter().any(is_in) || library.shares_hold(&whole))
}

/// Where a path leads. Of what is not there: where it would be made. None where that can't be told, for `..` leads
/// elsewhere once what is before it was made.
fn without_links(path: &Path) -> Option<PathBuf> {
    let (there, rest) = path
        .ancestors()
        .find_map(|above| Some((above.canonicalize().ok()?, path.strip_prefix(above).ok()?)))?;
    let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    is_plain.then(|| there.join(rest))
}
