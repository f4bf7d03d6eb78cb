//! The match rule: which names answer a query, and how well. Peers and coordinator apply the same one.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How well a name matches. Ordered: exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchClass {
    Exact,
    Substring,
}

/// A query that is specific enough, with its folded form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Query {
    text: String,
    folded: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error("a query needs a word of at least 3 letters or digits (2 in Han, Kana, Hangul)")]
    TooShort,
    #[error("a query has at most 128 characters")]
    TooLong,
}

impl Query {
    pub fn parse(_text: &str) -> Result<Self, QueryError> {
        todo!()
    }
    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    pub fn classify(&self, _name: &FoldedName) -> Option<MatchClass> {
        todo!()
    }
}

/// A file name, folded once for many queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedName {}

impl FoldedName {
    pub fn new(_name: &str) -> Self {
        todo!()
    }
}

impl TryFrom<String> for Query {
    type Error = QueryError;
    fn try_from(text: String) -> Result<Self, QueryError> {
        Self::parse(&text)
    }
}
impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.text
    }
}
