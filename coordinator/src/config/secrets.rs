//! Secrets come from files: named in the configuration, or handed over by a service manager (systemd's
//! `LoadCredential`), whose files no other program can read. None is ever an argument.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Config, Secret};

/// A join key is a word or a sentence.
const JOIN_KEY_BYTES_MAX: u64 = 4096;
/// Names of credentials.
const JOIN_KEY: &str = "hearsay.join-key";
const SEALING_KEY: &str = "hearsay.key";
/// Where the sealing key is kept in a service's own folder.
const KEY_IN_STATE: &str = "key";

#[derive(Debug, Error)]
pub enum SecretError {
    #[error("the join key in {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the join key in {path}: expected one line of text, 1 to {JOIN_KEY_BYTES_MAX} bytes")]
    Form { path: PathBuf },
}

/// What a service manager gives a service, by variables.
#[derive(Debug, Clone, Default)]
pub struct ServiceDirs {
    pub(super) credentials: Option<PathBuf>,
    pub(super) state: Option<PathBuf>,
}

impl ServiceDirs {
    pub fn from_env() -> Self {
        let dir = |name| env::var_os(name).map(PathBuf::from).filter(|dir: &PathBuf| dir.is_absolute());
        Self { credentials: dir("CREDENTIALS_DIRECTORY"), state: dir("STATE_DIRECTORY") }
    }

    fn credential(&self, name: &str) -> Option<PathBuf> {
        self.credentials.as_ref().map(|dir| dir.join(name)).filter(|path| path.exists())
    }

    /// Whether the manager guards this file. Its mode then tells nothing: an access list shows as the group's.
    pub(crate) fn guards(&self, path: &Path) -> bool {
        self.credentials.as_ref().is_some_and(|dir| path.starts_with(dir))
    }
}

/// Puts in what nothing else names.
pub(super) fn complete(config: &mut Config, dirs: &ServiceDirs) -> Result<(), SecretError> {
    let join_key_file = config.join_key_file.clone().or_else(|| dirs.credential(JOIN_KEY));
    if let Some(path) = join_key_file.filter(|_| config.join_key.is_none()) {
        config.join_key = Some(read_join_key(path)?);
    }
    if config.key_file.is_none() {
        let in_state = || dirs.state.as_ref().map(|dir| dir.join(KEY_IN_STATE));
        config.key_file = dirs.credential(SEALING_KEY).or_else(in_state);
    }
    Ok(())
}

fn read_join_key(path: PathBuf) -> Result<Secret, SecretError> {
    let length = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(source) => return Err(SecretError::Read { path, source }),
    };
    if length > JOIN_KEY_BYTES_MAX {
        return Err(SecretError::Form { path });
    }
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) if source.kind() == io::ErrorKind::InvalidData => return Err(SecretError::Form { path }),
        Err(source) => return Err(SecretError::Read { path, source }),
    };
    let key = text.trim_end_matches(['\r', '\n']);
    if key.is_empty() || key.contains(char::is_control) {
        return Err(SecretError::Form { path });
    }
    Ok(Secret::new(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{SecretError, ServiceDirs, complete};
    use crate::config::{Config, Secret};

    fn revealed(config: &Config) -> Option<&str> {
        config.join_key.as_ref().map(Secret::reveal)
    }

    #[test]
    fn what_nothing_else_names_comes_from_the_manager() {
        let dir = tempfile::tempdir().unwrap();
        let (credentials, state) = (dir.path().join("credentials"), dir.path().join("state"));
        fs::create_dir(&credentials).unwrap();
        let dirs = ServiceDirs { credentials: Some(credentials.clone()), state: Some(state.clone()) };

        let mut config = Config::default();
        complete(&mut config, &dirs).unwrap();
        assert_eq!((revealed(&config), config.key_file.clone()), (None, Some(state.join("key"))));

        fs::write(credentials.join("hearsay.join-key"), "open sesame\n").unwrap();
        fs::write(credentials.join("hearsay.key"), [1; 32]).unwrap();
        let mut config = Config::default();
        complete(&mut config, &dirs).unwrap();
        assert_eq!(revealed(&config), Some("open sesame"));
        assert_eq!(config.key_file, Some(credentials.join("hearsay.key")));
        assert!(dirs.guards(&credentials.join("hearsay.key")) && !dirs.guards(&state.join("key")));

        let file = dir.path().join("other");
        fs::write(&file, "of the file").unwrap();
        let mut config =
            Config { join_key_file: Some(file.clone()), key_file: Some("named".into()), ..Config::default() };
        complete(&mut config, &dirs).unwrap();
        assert_eq!((revealed(&config), config.key_file.clone()), (Some("of the file"), Some("named".into())));

        let mut config = Config {
            join_key: Some(Secret::new("said".to_owned())),
            join_key_file: Some(file),
            ..Config::default()
        };
        complete(&mut config, &dirs).unwrap();
        assert_eq!(revealed(&config), Some("said"));

        let mut config = Config::default();
        complete(&mut config, &ServiceDirs::default()).unwrap();
        assert_eq!((revealed(&config), config.key_file.clone()), (None, None));
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        for contents in [&b""[..], b"\n", b"two\nlines\n", b"\xff\xfe", &[b'x'; 5000]] {
            fs::write(&file, contents).unwrap();
            let mut config = Config { join_key_file: Some(file.clone()), ..Config::default() };
            let error = complete(&mut config, &ServiceDirs::default()).unwrap_err();
            assert!(matches!(error, SecretError::Form { .. }), "{error}");
        }
        let mut config = Config { join_key_file: Some("/nonexistent".into()), ..Config::default() };
        assert!(matches!(complete(&mut config, &ServiceDirs::default()), Err(SecretError::Read { .. })));
    }
}
