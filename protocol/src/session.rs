//! Connecting to the coordinator.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{SessionToken, Username, redacted::redacted_debug};

/// Body of `POST /v1/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectRequest {
    /// Checked by the server, so that a wrong one is answered with `username_invalid` and its reason.
    pub username: String,
    /// The session's token, made by the peer: a repeat with the same token is the same session.
    pub token: SessionToken,
    /// The protocol version that the peer speaks.
    pub version: u32,
    /// From an earlier connect: proves that this peer held the name, and takes it over at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_token: Option<NameToken>,
    /// For closed communities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_key: Option<String>,
}

impl ConnectRequest {
    pub fn new(username: &Username, token: SessionToken, name_token: Option<NameToken>) -> Self {
        Self {
            username: username.as_str().to_owned(),
            token,
            version: crate::VERSION,
            name_token,
            join_key: None,
        }
    }
}

/// The same of any version. What a later one asks for may be in fields that this one doesn't know, so the version is
/// looked at first, and the rest, strictly, only if it is ours.
#[derive(Debug, Clone)]
pub enum AnyConnect {
    Ours(ConnectRequest),
    OfOtherVersion,
}

impl<'de> Deserialize<'de> for AnyConnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = deserializer.deserialize_map(FieldsVisitor)?;
        match fields.get("version").and_then(Value::as_u64) {
            Some(version) if version != u64::from(crate::VERSION) => Ok(Self::OfOtherVersion),
            _ => {
                ConnectRequest::deserialize(Value::Object(fields)).map(Self::Ours).map_err(de::Error::custom)
            }
        }
    }
}

/// An object whose fields come once each.
struct FieldsVisitor;

impl<'de> de::Visitor<'de> for FieldsVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = entries.next_entry()? {
            if fields.insert(name, value).is_some() {
                return Err(de::Error::custom("a field comes twice"));
            }
        }
        Ok(fields)
    }
}

/// Body of its 201.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectResponse {
    pub name_token: NameToken,
    /// The session lapses this long after its last poll ended.
    pub lease_seconds: u64,
    /// The longest `wait` of a poll.
    pub wait_seconds_max: u64,
    pub limits: SessionLimits,
    /// The protocol version that the coordinator speaks.
    pub version: u32,
}

/// What a session may do, told so that a client can keep within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLimits {
    pub searches_per_second: u32,
    pub searches_burst: u32,
    pub introductions_per_second: u32,
    pub introductions_burst: u32,
    pub matches_per_answer: usize,
    pub pending_introductions: usize,
}

/// The username under the coordinator's seal, with its lineage and age. Opaque to peers; kept as a secret,
/// for whoever has it may take the name over.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NameToken(Zeroizing<String>);

impl NameToken {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    /// The text, for a header or a body, never for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

redacted_debug!(NameToken);
