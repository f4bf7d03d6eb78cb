//! The key pairs that a peer is known by for a day.

use std::{sync::Arc, time::SystemTime};

use protocol::{CertificateSha256, ReplyKey, Username};
use thiserror::Error;
use zeroize::Zeroizing;

#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("a key pair can't be made")]
    Generate(#[from] rcgen::Error),
    #[error("the stored identity can't be read")]
    Stored,
}

/// One period's key pairs: X25519 for HPKE, and TLS with its certificate.
pub struct Identity {}

impl Identity {
    pub fn generate(_now: SystemTime) -> Result<Self, IdentityError> {
        todo!()
    }
    /// What others pin.
    pub fn certificate_sha256(&self) -> CertificateSha256 {
        todo!()
    }
    /// What others seal to.
    pub fn reply_key(&self) -> ReplyKey {
        todo!()
    }
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, IdentityError> {
        todo!()
    }
}

/// A username's identity of today, and yesterday's, which counts for one more day.
pub struct Identities {}

impl Identities {
    /// Reads what [`Self::to_bytes`] wrote; new key pairs where nothing is stored, or for another username.
    /// Store the bytes again afterwards.
    pub fn load_or_generate(
        _stored: Option<&[u8]>,
        _username: &Username,
        _now: SystemTime,
    ) -> Result<Self, IdentityError> {
        todo!()
    }
    /// Whether something changed, so that the bytes are to be stored again.
    pub fn rotate_if_due(&mut self, _now: SystemTime) -> Result<bool, IdentityError> {
        todo!()
    }
    pub fn username(&self) -> &Username {
        todo!()
    }
    pub fn current(&self) -> &Arc<Identity> {
        todo!()
    }
    /// The current one first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Identity>> {
        std::iter::empty()
    }
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }
}
