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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::FILE_SIZE_MAX;

    fn file(root: u8, size: u64) -> FileId {
        FileId { root: Root::from_bytes([root; 32]), size }
    }

    #[test]
    fn a_search_is_for_words_or_for_one_file() {
        let root = format!(r#""root":"{}""#, "ab".repeat(32));
        let beyond = FILE_SIZE_MAX + 1;
        for (text, is_one) in [
            (r#"{"query":"some words"}"#.to_owned(), true),
            (format!(r#"{{{root},"size":5}}"#), true),
            ("{}".to_owned(), false),
            (r#"{"query":"ab"}"#.to_owned(), false),
            (r#"{"query":"some words","more":1}"#.to_owned(), false),
            (r#"{"query":"some words","size":5}"#.to_owned(), false),
            (format!(r#"{{"query":"some words",{root},"size":5}}"#), false),
            (format!("{{{root}}}"), false),
            (r#"{"size":5}"#.to_owned(), false),
            (format!(r#"{{{root},"size":{beyond}}}"#), false),
        ] {
            let written =
                serde_json::from_str::<Subject>(&text).ok().map(|subject| serde_json::to_string(&subject));
            assert_eq!(written.map(Result::unwrap), is_one.then(|| text.clone()), "{text}");
        }
    }

    #[test]
    fn a_file_is_found_by_its_root_and_its_size_together() {
        let (name, wanted) = (FoldedName::new("any name"), Subject::File(file(1, 5)));
        for (offered, class) in
            [(file(1, 5), Some(MatchClass::Exact)), (file(1, 6), None), (file(2, 5), None)]
        {
            assert_eq!(wanted.classify(&name, &offered), class, "{offered:?}");
        }
    }

    #[test]
    fn a_match_has_a_size_that_its_file_or_listing_can_have() {
        let summary = FolderSummary { files: 1, bytes: 1 };
        for (size, folder, is_one) in [
            (FILE_SIZE_MAX, None, true),
            (FILE_SIZE_MAX + 1, None, false),
            (LISTING_BYTES_MAX, Some(summary), true),
            (LISTING_BYTES_MAX + 1, Some(summary), false),
        ] {
            let FileId { root, .. } = file(1, size);
            let offered = Match { name: SafeName::sanitise("a"), size, root, folder };
            assert_eq!(offered.file(), is_one.then_some(file(1, size)), "{offered:?}");
        }
    }
}
