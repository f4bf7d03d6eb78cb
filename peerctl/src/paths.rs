//! Where the daemon's socket and state are, from this process's environment.

use std::path::{Path, PathBuf};

use protocol::{Profile, paths as defaults};

use crate::error::Error;

/// The control socket where nothing else is said.
pub(crate) fn default_socket(profile: Option<&Profile>) -> Result<PathBuf, Error> {
    let (runtime_dir, state_home) = (variable("XDG_RUNTIME_DIR"), variable("XDG_STATE_HOME"));
    Ok(defaults::control_socket(runtime_dir.as_deref(), state_home.as_deref(), &home()?, profile))
}

/// The configuration file where nobody names another.
pub(crate) fn default_config_file(profile: Option<&Profile>) -> Result<PathBuf, Error> {
    Ok(defaults::config_file(variable("XDG_CONFIG_HOME").as_deref(), &home()?, profile))
}

/// The whole path of what a person has typed where no shell was: `~` is the home.
pub(crate) fn expanded(typed: &str) -> Result<PathBuf, Error> {
    let path = match typed.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => home()?.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(typed),
    };
    std::path::absolute(path).map_err(Error::System)
}

/// The whole path, as the daemon takes it, which is somewhere else than this process.
pub(crate) fn absolute(path: &Path) -> Result<String, Error> {
    let whole = std::path::absolute(path).map_err(Error::System)?;
    whole.to_str().map(str::to_owned).ok_or_else(|| Error::PathUnspeakable(path.to_owned()))
}

pub(crate) fn home() -> Result<PathBuf, Error> {
    variable("HOME").filter(|home| home.is_absolute()).ok_or(Error::NoHome)
}

pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// A program that is installed beside this one, else by its name for the search in `PATH`.
pub(crate) fn program_beside(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|dir| dir.join(name)));
    beside.filter(|path| Path::is_file(path)).unwrap_or_else(|| PathBuf::from(name))
}
