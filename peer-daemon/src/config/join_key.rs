//! The key of a closed community: in the configuration file, in a file that it names, or handed over by a service
//! manager (systemd's `LoadCredential`), whose files no other program can read. It is never an argument, and never
//! shown.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer};
use thiserror::Error;
use zeroize::Zeroizing;

/// As the coordinator has it: a word or a sentence.
const BYTES_MAX: u64 = 4096;
/// The credential's name, the same as at the coordinator: both may run on one machine.
pub(super) const CREDENTIAL: &str = "hearsay.join-key";

#[derive(Clone, PartialEq, Eq)]
pub struct JoinKey(Zeroizing<String>);

#[derive(Debug, Error)]
pub enum JoinKeyError {
    #[error("can't read the join key in {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the join key in {}: expected one line of text, 1 to {BYTES_MAX} bytes", path.display())]
    Form { path: PathBuf },
}

impl JoinKey {
    /// Blocks. The end of the line is none of the key.
    pub(crate) fn read(path: &Path) -> Result<Self, JoinKeyError> {
        let form = || JoinKeyError::Form { path: path.to_owned() };
        let mut text = Zeroizing::new(String::new());
        // One byte more tells a file that is too long from one that is not.
        let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        match read {
            Ok(length) if length as u64 > BYTES_MAX => return Err(form()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(form()),
            Err(source) => return Err(JoinKeyError::Read { path: path.to_owned(), source }),
        }
        let key = text.trim_end_matches(['\r', '\n']);
        if key.is_empty() || key.contains(char::is_control) {
            return Err(form());
        }
        Ok(Self(Zeroizing::new(key.to_owned())))
    }

    pub(crate) fn reveal(&self) -> &Zeroizing<String> {
        &self.0
    }
}

impl fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinKey(…)")
    }
}

impl<'de> Deserialize<'de> for JoinKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self(Zeroizing::new(key)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_one_line_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for contents in ["open sesame", "open sesame\n", "open sesame\r\n"] {
            fs::write(&path, contents).unwrap();
            let key = JoinKey::read(&path).unwrap();
            assert_eq!(key.reveal().as_str(), "open sesame");
            assert!(!format!("{key:?}").contains("sesame"));
        }
        fs::write(&path, "x".repeat(4096)).unwrap();
        assert!(JoinKey::read(&path).is_ok());
        for contents in [&b""[..], b"\n", b"two\nlines\n", b"\xff\xfe", &[b'x'; 4097]] {
            fs::write(&path, contents).unwrap();
            let refused = JoinKey::read(&path);
            assert!(matches!(refused, Err(JoinKeyError::Form { .. })), "{refused:?}");
        }
        let missing = JoinKey::read(&dir.path().join("missing"));
        assert!(matches!(missing, Err(JoinKeyError::Read { .. })), "{missing:?}");
    }
}
