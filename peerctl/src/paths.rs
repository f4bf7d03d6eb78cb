//! Where the daemon's socket and state are, from this process's environment.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The control socket where nothing else is said.
pub(crate) fn default_socket() -> Result<PathBuf, Error> {
    let runtime_dir = variable("XDG_RUNTIME_DIR");
    Ok(protocol::paths::control_socket(
        runtime_dir.as_deref(),
        variable("XDG_STATE_HOME").as_deref(),
        &home()?,
    ))
}

/// The daemon's state directory where nothing else is said.
pub(crate) fn default_state_dir() -> Result<PathBuf, Error> {
    Ok(protocol::paths::state_dir(variable("XDG_STATE_HOME").as_deref(), &home()?))
}

fn home() -> Result<PathBuf, Error> {
    variable("HOME").filter(|home| home.is_absolute()).ok_or(Error::NoHome)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// A program that is installed beside this one, else by its name for the search in `PATH`.
pub(crate) fn program_beside(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|dir| dir.join(name)));
    beside.filter(|path| Path::is_file(path)).unwrap_or_else(|| PathBuf::from(name))
}
