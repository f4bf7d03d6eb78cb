//! Searches on the wire: what is asked, what peers answer, what the searcher sees. The rule that decides what
//! matches is in [`match_rule`](crate::match_rule).

use serde::{Deserialize, Serialize};

use crate::{
    CertificateSha256, FileId, FolderSummary, ReplyKey, Root, SafeName,
    limits::LISTING_BYTES_MAX,
    match_rule::{FoldedName, MatchClass, Query},
};

/// What is searched for. On the wire `{query}` or `{root, size}`, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SubjectFields", into = "SubjectFields")]
pub enum Subject {
    /// Names that match these words.
    Query(Query),
    /// Any name of exactly this file.
    File(FileId),
}

impl Subject {
    /// How a file with this name answers the search; `None` when it does not.
    pub fn classify(&self, name: &FoldedName, file: &FileId) -> Option<MatchClass> {
        match self {
            Self::Query(query) => query.classify(name),
            Self::File(wanted) => (wanted == file).then_some(MatchClass::Exact),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<Query>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Root>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl TryFrom<SubjectFields> for Subject {
    type Error = &'static str;

    fn try_from(fields: SubjectFields) -> Result<Self, Self::Error> {
        match fields {
            SubjectFields { query: Some(query), root: None, size: None } => Ok(Self::Query(query)),
            SubjectFields { query: None, root: Some(root), size: Some(size) } => {
                FileId::new(root, size).map(Self::File).map_err(|_| "size is out of range")
            }
            _ => Err("expected either query, or root and size"),
        }
    }
}

impl From<Subject> for SubjectFields {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Query(query) => Self { query: Some(query), root: None, size: None },
            Subject::File(file) => Self { query: None, root: Some(file.root), size: Some(file.size) },
        }
    }
}

/// Body of `POST /v1/searches/{id}/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// To which introductions for these files are sealed.
    pub reply_key: ReplyKey,
    /// The certificate that this peer shows on a stream.
    pub certificate_sha256: CertificateSha256,
    /// At most [`MATCHES_PER_ANSWER_MAX`](crate::limits::MATCHES_PER_ANSWER_MAX).
    pub matches: Vec<Match>,
}

/// A file, or a whole folder, that a peer offers in answer to a search.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    pub name: SafeName,
    /// With the root the identity; of a folder, that of its [listing](crate::folder).
    pub size: u64,
    pub root: Root,
    /// How much is in it, if it is a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
}

impl Match {
    /// What it identifies; `None` where no file, or no listing of a folder, has that size.
    pub fn file(&self) -> Option<FileId> {
        let is_possible = self.folder.is_none() || self.size <= LISTING_BYTES_MAX;
        FileId::new(self.root, self.size).ok().filter(|_| is_possible)
    }
}

/// A match with the class that the coordinator gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassedMatch {
    pub name: SafeName,
    pub size: u64,
    pub root: Root,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderSummary>,
    #[serde(rename = "match")]
    pub class: MatchClass,
}
