//! Usernames: what is allowed, and which two look alike.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// 3 to 32 characters: letters and digits of one script, and `-`, `_`, `.` inside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UsernameError {
    #[error("a username has 3 to 32 characters")]
    Length,
    #[error("a username is made of letters and digits, with - _ . inside")]
    Character,
    #[error("a username's letters are of one script")]
    MixedScripts,
}

impl Username {
    pub fn parse(_text: &str) -> Result<Self, UsernameError> {
        todo!()
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Two usernames with one comparison key are the same name (NFKC, case folded).
    pub fn comparison_key(&self) -> String {
        todo!()
    }
    /// Two usernames with one skeleton look alike (UTS 39 skeleton of the comparison key, folded again).
    pub fn skeleton(&self) -> String {
        todo!()
    }
}

impl std::fmt::Display for Username {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::str::FromStr for Username {
    type Err = UsernameError;
    fn from_str(text: &str) -> Result<Self, UsernameError> {
        Self::parse(text)
    }
}
impl TryFrom<String> for Username {
    type Error = UsernameError;
    fn try_from(text: String) -> Result<Self, UsernameError> {
        Self::parse(&text)
    }
}
impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}
