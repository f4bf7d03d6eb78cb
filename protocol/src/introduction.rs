//! Introductions: what the coordinator carries, what it can't read, and what the target answers.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize, de};
use thiserror::Error;

use crate::{
    CertificateSha256, FileId, IntroductionId, MessageKey, Username,
    limits::{FILES_PER_INTRODUCTION_MAX, SEAL_PADDING_STEP},
};

/// Body of `PUT /v1/introductions/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntroductionRequest {
    pub to: Username,
    /// The requester's public download port; its address is the one that the coordinator observes.
    pub port: u16,
    pub sealed: Sealed,
}

/// HPKE encapsulated key and cipher text, base64 on the wire. Only the target can open it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl Serialize for Sealed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Self).map_err(|_| de::Error::custom("expected base64"))
    }
}

/// The requester's word to the target, under the seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub message_key: MessageKey,
    /// 1 to [`FILES_PER_INTRODUCTION_MAX`] files; the stream serves these and no others.
    pub files: Vec<FileId>,
    /// The requester's certificate, which the target pins.
    pub certificate_sha256: CertificateSha256,
    pub version: u32,
}

/// The seal was opened and holds something else than an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvitationError {
    #[error("the sealed text is not an invitation")]
    Malformed,
    #[error("an invitation names 1 to {FILES_PER_INTRODUCTION_MAX} files")]
    FileCount,
    #[error("the invitation is of protocol version {0}")]
    Version(u32),
}

/// The JSON form. Files are pairs, so that 1,000 of them fit a request body after padding and base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InvitationText {
    message_key: MessageKey,
    files: Vec<(crate::Root, u64)>,
    certificate_sha256: CertificateSha256,
    version: u32,
}

impl Invitation {
    /// The plain text to seal: JSON, padded with spaces to a multiple of [`SEAL_PADDING_STEP`].
    pub fn to_padded_text(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let text = InvitationText {
            message_key: self.message_key.clone(),
            files: self.files.iter().map(|file| (file.root, file.size)).collect(),
            certificate_sha256: self.certificate_sha256,
            version: self.version,
        };
        let mut bytes = zeroize::Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
        let padded = bytes.len().next_multiple_of(SEAL_PADDING_STEP);
        bytes.resize(padded, b' ');
        bytes
    }

    pub fn from_padded_text(bytes: &[u8]) -> Result<Self, InvitationError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            version: u32,
        }
        let VersionOnly { version } =
            serde_json::from_slice(bytes).map_err(|_| InvitationError::Malformed)?;
        if version != crate::VERSION {
            return Err(InvitationError::Version(version));
        }
        let text: InvitationText = serde_json::from_slice(bytes).map_err(|_| InvitationError::Malformed)?;
        if text.files.is_empty() || text.files.len() > FILES_PER_INTRODUCTION_MAX {
            return Err(InvitationError::FileCount);
        }
        let files = text
            .files
            .into_iter()
            .map(|(root, size)| FileId::new(root, size).map_err(|_| InvitationError::Malformed))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            message_key: text.message_key,
            files,
            certificate_sha256: text.certificate_sha256,
            version,
        })
    }
}

/// Of the seal alone. The protocol's version is inside, so that a target of another one can open the seal and say
/// that it is of another one, rather than be silent like a target that is not there.
const SEAL_VERSION: u32 = 1;

/// HPKE `info`: binds a seal to its form, the introduction and both usernames, so that it opens nowhere else.
pub fn seal_info(id: IntroductionId, requester: &Username, target: &Username) -> Vec<u8> {
    format!("hearsay introduction v{SEAL_VERSION}\n{id}\n{}\n{}", requester.as_str(), target.as_str())
        .into_bytes()
}

/// Body of `PUT /v1/introductions/{id}/reply`: the target's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// Not yet: a place in the queue (1 is next).
    Queued { position: u32, reason: QueueReason },
    /// The target dials the requester now.
    Accepted {},
    /// The dial-back failed; the requester may dial the target's observed address at this port.
    DialMe { port: u16 },
    /// No, and why; with the target's protocol version, where that is why.
    Declined {
        reason: DeclineReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
}

impl Reply {
    pub fn declined(reason: DeclineReason) -> Self {
        let version = (reason == DeclineReason::VersionUnsupported).then_some(crate::VERSION);
        Self::Declined { reason, version }
    }
}

/// The same word as the requester hears it, with the address that the coordinator observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HeardReply {
    Queued {
        position: u32,
        reason: QueueReason,
    },
    Accepted {},
    DialMe {
        endpoint: SocketAddr,
    },
    Declined {
        reason: DeclineReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
    /// A word of a later version; the requester waits on.
    #[serde(other)]
    Unknown,
}

/// Why an introduction waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueReason {
    /// The upload slot is taken.
    Busy,
    /// A person is asked first.
    Asking,
    /// The target has its uploads switched off for now.
    UploadsOff,
    #[serde(other)]
    Other,
}

/// Why an introduction was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The person said no.
    Refused,
    /// A file is not there any more.
    FileGone,
    /// A file has changed since it was offered.
    SourceChanged,
    /// The queue is full, in all or for this requester.
    QueueFull,
    /// The requester's address is outside what the target dials.
    AddressRefused,
    /// The two speak different protocol versions.
    VersionUnsupported,
    #[serde(other)]
    Other,
}

/// Body of `GET /v1/introduction` on the peer stream: the target proves that it opened the seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntroductionProof {
    pub id: IntroductionId,
    pub message_key: MessageKey,
}

/// Body of the 202 to an introduction, and to a search: how long it lives unless it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub deadline_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Root, VERSION, limits::FILE_SIZE_MAX};

    fn invitation(files: usize) -> Invitation {
        let file = FileId::new(Root::from_bytes([2; 32]), FILE_SIZE_MAX).unwrap();
        Invitation {
            message_key: MessageKey::from_bytes([1; 32]),
            files: vec![file; files],
            certificate_sha256: CertificateSha256::from_bytes([3; 32]),
            version: VERSION,
        }
    }

    #[test]
    fn an_invitation_is_for_as_many_files_as_an_introduction_may_name() {
        let most = FILES_PER_INTRODUCTION_MAX;
        for (files, is_one) in [(0, false), (1, true), (most, true), (most + 1, false)] {
            let sent = invitation(files);
            let read = Invitation::from_padded_text(&sent.to_padded_text());
            assert_eq!(read, if is_one { Ok(sent) } else { Err(InvitationError::FileCount) }, "{files}");
        }
    }

    #[test]
    fn an_invitation_is_read_strictly_once_its_version_is_ours() {
        use InvitationError::{Malformed, Version};
        let text = String::from_utf8(invitation(1).to_padded_text().to_vec()).unwrap();
        for (ours, other, error) in [
            ("\"version\":1", "\"version\":0", Version(0)),
            ("\"version\":1", "\"version\":2,\"later\":1", Version(2)),
            ("\"version\":1", "\"version\":1,\"later\":1", Malformed),
            ("9007199254740991", "9007199254740992", Malformed),
            ("}", "}x", Malformed),
        ] {
            let changed = text.replacen(ours, other, 1);
            assert_ne!(changed, text);
            assert_eq!(Invitation::from_padded_text(changed.as_bytes()), Err(error), "{other}");
        }
    }

    /// Another implementation has to come to the same bytes.
    #[test]
    fn a_seal_is_bound_to_its_introduction_and_to_both_names() {
        let (id, name) = (IntroductionId::from_bytes([0xab; 16]), |text| Username::parse(text).unwrap());
        let expected = format!("hearsay introduction v1\n{}\nanna\nbert", "ab".repeat(16));
        assert_eq!(seal_info(id, &name("anna"), &name("bert")), expected.into_bytes());
    }

    #[test]
    fn a_target_tells_its_version_where_that_is_why_it_declines() {
        for (reason, version) in [
            (DeclineReason::VersionUnsupported, Some(VERSION)),
            (DeclineReason::Refused, None),
            (DeclineReason::QueueFull, None),
        ] {
            assert_eq!(Reply::declined(reason), Reply::Declined { reason, version });
        }
    }

    #[test]
    fn a_word_of_a_later_version_is_heard_as_one() {
        let heard: HeardReply = serde_json::from_str(r#"{"state":"of_next_year","more":1}"#).unwrap();
        assert_eq!(heard, HeardReply::Unknown);
    }
}
