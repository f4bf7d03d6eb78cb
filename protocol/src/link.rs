//! `hearsay:?root=HEX&size=N&name=NAME`: a link to a file.

use thiserror::Error;

use crate::{FileId, SafeName};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub file: FileId,
    pub name: SafeName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a link has the form hearsay:?root=HEX&size=N&name=NAME")]
pub struct LinkError;

impl std::str::FromStr for Link {
    type Err = LinkError;
    fn from_str(_text: &str) -> Result<Self, LinkError> {
        todo!()
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
