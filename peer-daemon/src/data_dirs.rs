//! Where the daemon keeps things when nobody says otherwise (XDG base directories).

use std::{
    env,
    path::{Path, PathBuf},
};

use protocol::{Profile, paths};
use thiserror::Error;

/// The environment's word on where a user's files go.
#[derive(Debug, Clone, Default)]
pub struct DataDirs {
    home: Option<PathBuf>,
    runtime: Option<PathBuf>,
    state: Option<PathBuf>,
    config: Option<PathBuf>,
    /// Secrets that a service manager hands over.
    credentials: Option<PathBuf>,
    /// Of several daemons side by side; each has folders of its own, but for downloads.
    profile: Option<Profile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("HOME is not set; name --state-dir, --socket and --download-dir")]
pub struct NoHome;

impl DataDirs {
    pub fn from_env() -> Self {
        let dir = |name| env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        Self {
            home: dir("HOME"),
            runtime: dir("XDG_RUNTIME_DIR"),
            state: dir("XDG_STATE_HOME"),
            config: dir("XDG_CONFIG_HOME"),
            credentials: dir("CREDENTIALS_DIRECTORY"),
            profile: None,
        }
    }

    #[must_use]
    pub(crate) fn of_profile(self, profile: Option<Profile>) -> Self {
        Self { profile, ..self }
    }

    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// All below one folder, as for a user whose home it is.
    pub fn under(home: &Path) -> Self {
        Self { home: Some(home.to_owned()), ..Self::default() }
    }

    #[cfg(test)]
    #[must_use]
    pub(crate) fn handed_over_in(self, credentials: &Path) -> Self {
        Self { credentials: Some(credentials.to_owned()), ..self }
    }

    pub fn state_dir(&self) -> Result<PathBuf, NoHome> {
        Ok(paths::state_dir(self.state.as_deref(), self.home()?, self.profile()))
    }

    pub fn control_socket(&self) -> Result<PathBuf, NoHome> {
        let (runtime, state) = (self.runtime.as_deref(), self.state.as_deref());
        Ok(paths::control_socket(runtime, state, self.home()?, self.profile()))
    }

    pub fn download_dir(&self) -> Result<PathBuf, NoHome> {
        Ok(self.home()?.join("Downloads"))
    }

    /// `None` without a home: then there is no file to look for.
    pub fn config_file(&self) -> Option<PathBuf> {
        // Where the variable is set, the home does not matter.
        let home = self.home.as_deref().or(self.config.as_deref())?;
        Some(paths::config_file(self.config.as_deref(), home, self.profile()))
    }

    /// The file of a secret of this name, if one was handed over.
    pub(crate) fn credential(&self, name: &str) -> Option<PathBuf> {
        self.credentials.as_ref().map(|dir| dir.join(name)).filter(|path| path.exists())
    }

    pub(crate) fn home_dir(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    fn home(&self) -> Result<&Path, NoHome> {
        self.home.as_deref().ok_or(NoHome)
    }
}
