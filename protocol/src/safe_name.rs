//! File names that are safe everywhere: on a disk, on a terminal, in HTML, in a log.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One path component, free of separators, control and format characters, reserved names and bidi overrides,
/// at most [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes. The only form in which a received name
/// reaches a disk write, a terminal, HTML or a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SafeName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file name is not safe")]
pub struct UnsafeName;

impl SafeName {
    /// Accepts a name that is safe as it is.
    pub fn parse(_text: &str) -> Result<Self, UnsafeName> {
        todo!()
    }
    /// Makes any name safe by replacing what is not; the identity on safe names.
    pub fn sanitise(_text: &str) -> Self {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// `name (2).ext` and so on, still within the length: for a name that is taken on disk.
    #[must_use]
    pub fn numbered(&self, _number: u32) -> Self {
        todo!()
    }
}

impl std::fmt::Display for SafeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
impl TryFrom<String> for SafeName {
    type Error = UnsafeName;
    fn try_from(text: String) -> Result<Self, UnsafeName> {
        Self::parse(&text)
    }
}
impl From<SafeName> for String {
    fn from(name: SafeName) -> Self {
        name.0
    }
}
