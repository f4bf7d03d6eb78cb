//! Seals: HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.

use std::sync::Arc;

use protocol::{
    IntroductionId, ReplyKey, Username,
    introduction::{Invitation, InvitationError, Sealed},
};
use thiserror::Error;

use super::identity::{Identities, Identity};

/// The reply key is not a point that can be sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the reply key can't be sealed to")]
pub struct SealError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    #[error("the seal was made for another key, introduction or username")]
    NotForUs,
    #[error(transparent)]
    Invitation(#[from] InvitationError),
}

/// An opened seal.
pub struct Opened {
    pub invitation: Invitation,
    /// The identity that it was sealed to: its certificate is the one to show on the stream that follows.
    pub identity: Arc<Identity>,
}

/// Seals to the target's reply key; bound to the introduction and both usernames.
pub fn seal(
    _invitation: &Invitation,
    _to: &ReplyKey,
    _id: IntroductionId,
    _requester: &Username,
    _target: &Username,
) -> Result<Sealed, SealError> {
    todo!()
}

/// Opens a seal that `requester` made for the owner of `identities`.
pub fn open(
    _identities: &Identities,
    _sealed: &Sealed,
    _id: IntroductionId,
    _requester: &Username,
) -> Result<Opened, OpenError> {
    todo!()
}
