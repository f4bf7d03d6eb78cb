//! The state directory: an SQLite database that survives crashes.

use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// A handle to the state directory, cheap to clone.
#[derive(Clone)]
pub struct State {}

#[derive(Debug, Error)]
pub enum StateError {
    #[error("the state directory {} is in use by another daemon: stop it, or name another one with --state-dir", dir.display())]
    InUse { dir: PathBuf },
    #[error("the state database {} is damaged: move it away and start again (shared files are hashed again)", path.display())]
    Damaged { path: PathBuf },
}

impl State {
    /// Opens the directory, made if missing, for this process alone.
    pub fn open(_dir: &Path) -> Result<Self, StateError> {
        todo!()
    }
    /// Runs short synchronous calls off the async threads: `state.call(|state| state.secret("x")).await`.
    pub async fn call<T: Send + 'static>(
        &self,
        _work: impl FnOnce(&Self) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        todo!()
    }
    pub fn put_secret(&self, _name: &str, _bytes: &[u8]) -> Result<(), StateError> {
        todo!()
    }
    pub fn secret(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        todo!()
    }
}
