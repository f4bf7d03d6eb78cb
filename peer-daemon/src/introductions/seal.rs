//! Seals: HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305.
//!
//! The `info` binds a seal to the protocol version, the introduction and both usernames: whoever carries it
//! can't use it for another introduction or in another name. Its form is the encapsulated key (32 bytes),
//! then the cipher text.

use std::sync::Arc;

use hpke::{
    Deserializable as _, OpModeR, OpModeS, Serializable as _, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use protocol::{
    IntroductionId, ReplyKey, Username,
    introduction::{Invitation, InvitationError, Sealed, seal_info},
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::identity::{Identities, Identity};

type PublicKey = <X25519HkdfSha256 as hpke::Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// Length of an X25519 public key, which goes before the cipher text.
const ENCAPPED_KEY_BYTES: usize = 32;

/// Everything that is to be bound is in `info`; the cipher text has no other context.
const NO_AAD: &[u8] = &[];

/// The reply key is one of the few values that X25519 can't agree on a secret with.
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
#[derive(Debug)]
pub struct Opened {
    pub invitation: Invitation,
    /// The identity that it was sealed to: its certificate is the one to show on the stream that follows.
    pub identity: Arc<Identity>,
}

/// Seals to the target's reply key, with a fresh encapsulated key each time.
pub fn seal(
    invitation: &Invitation,
    to: &ReplyKey,
    id: IntroductionId,
    requester: &Username,
    target: &Username,
) -> Result<Sealed, SealError> {
    let to = PublicKey::from_bytes(to.as_bytes()).map_err(|_| SealError)?;
    let (encapped_key, cipher_text) =
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            &seal_info(id, requester, target),
            &invitation.to_padded_text(),
            NO_AAD,
        )
        .map_err(|_| SealError)?;
    let mut sealed = encapped_key.to_bytes().to_vec();
    sealed.extend_from_slice(&cipher_text);
    Ok(Sealed::new(sealed))
}

/// Opens a seal that `requester` made for the owner of `identities`.
pub fn open(
    identities: &Identities,
    sealed: &Sealed,
    id: IntroductionId,
    requester: &Username,
) -> Result<Opened, OpenError> {
    let (encapped_key, cipher_text) =
        sealed.as_bytes().split_at_checked(ENCAPPED_KEY_BYTES).ok_or(OpenError::NotForUs)?;
    let encapped_key = EncappedKey::from_bytes(encapped_key).map_err(|_| OpenError::NotForUs)?;
    let info = seal_info(id, requester, identities.username());
    let open_with = |identity: &Arc<Identity>| {
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            identity.reply_secret(),
            &encapped_key,
            &info,
            cipher_text,
            NO_AAD,
        )
        .ok()
        .map(|text| (Zeroizing::new(text), Arc::clone(identity)))
    };
    let (text, identity) = identities.all().find_map(open_with).ok_or(OpenError::NotForUs)?;
    Ok(Opened { invitation: Invitation::from_padded_text(&text)?, identity })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;
    use protocol::{
        CertificateSha256, FileId, IntroductionId, MessageKey, ReplyKey, Root, Username,
        introduction::{Invitation, InvitationError, Sealed},
        limits::{BODY_BYTES_MAX, FILES_PER_INTRODUCTION_MAX, SEAL_PADDING_STEP},
    };

    use super::{OpenError, open, seal};
    use crate::introductions::identity::{IDENTITY_LIFETIME, Identities};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }
    fn target() -> Identities {
        Identities::load_or_generate(None, &name("target"), NOW).unwrap()
    }
    fn invitation(files: usize) -> Invitation {
        Invitation {
            message_key: MessageKey::random(),
            files: (0..files as u64).map(|size| FileId::new(Root::random(), size).unwrap()).collect(),
            certificate_sha256: CertificateSha256::random(),
            version: protocol::VERSION,
        }
    }
    fn seal_to(target: &Identities, id: IntroductionId, invitation: &Invitation) -> Sealed {
        let key = target.current().reply_key();
        seal(invitation, &key, id, &name("requester"), target.username()).unwrap()
    }

    #[test]
    fn only_the_target_opens_it_and_only_for_this_introduction_and_requester() {
        let (target, id, sent) = (target(), IntroductionId::random(), invitation(3));
        let sealed = seal_to(&target, id, &sent);
        let opened = open(&target, &sealed, id, &name("requester")).unwrap();
        assert_eq!(opened.invitation, sent);
        assert_eq!(opened.identity.certificate_sha256(), target.current().certificate_sha256());

        let stranger = Identities::load_or_generate(None, &name("target"), NOW).unwrap();
        let attempts = [
            open(&stranger, &sealed, id, &name("requester")),
            open(&target, &sealed, IntroductionId::random(), &name("requester")),
            open(&target, &sealed, id, &name("another")),
        ];
        for attempt in attempts {
            assert_eq!(attempt.unwrap_err(), OpenError::NotForUs);
        }
    }

    #[test]
    fn a_seal_to_another_name_does_not_open_under_the_same_key() {
        let (target, id) = (target(), IntroductionId::random());
        let key = target.current().reply_key();
        let sealed = seal(&invitation(1), &key, id, &name("requester"), &name("another")).unwrap();
        assert_eq!(open(&target, &sealed, id, &name("requester")).unwrap_err(), OpenError::NotForUs);
    }

    #[test]
    fn yesterdays_key_still_opens_and_the_day_befores_does_not() {
        let (mut target, id) = (target(), IntroductionId::random());
        let yesterdays = target.current().certificate_sha256();
        let sealed = seal_to(&target, id, &invitation(1));
        target.rotate_if_due(NOW + IDENTITY_LIFETIME).unwrap();
        let opened = open(&target, &sealed, id, &name("requester")).unwrap();
        assert_eq!(opened.identity.certificate_sha256(), yesterdays);
        target.rotate_if_due(NOW + 2 * IDENTITY_LIFETIME).unwrap();
        assert_eq!(open(&target, &sealed, id, &name("requester")).unwrap_err(), OpenError::NotForUs);
    }

    #[test]
    fn the_length_tells_little_and_the_largest_fits_a_request() {
        let target = target();
        let length = |files| seal_to(&target, IntroductionId::random(), &invitation(files)).as_bytes().len();
        assert_eq!(length(1), length(20));
        assert_eq!(length(1), SEAL_PADDING_STEP + 32 + 16);
        assert!(length(FILES_PER_INTRODUCTION_MAX) * 4 / 3 + 1024 < BODY_BYTES_MAX);
    }

    #[test]
    fn an_invitation_without_files_or_of_another_version_is_named() {
        let (target, id) = (target(), IntroductionId::random());
        let open = |sealed| open(&target, &sealed, id, &name("requester")).unwrap_err();
        let empty = seal_to(&target, id, &invitation(0));
        assert_eq!(open(empty), OpenError::Invitation(InvitationError::FileCount));
        let later = seal_to(&target, id, &Invitation { version: 99, ..invitation(1) });
        assert_eq!(open(later), OpenError::Invitation(InvitationError::Version(99)));
    }

    #[test]
    fn a_key_without_a_secret_is_refused() {
        let (id, zero) = (IntroductionId::random(), ReplyKey::from_bytes([0; 32]));
        assert!(seal(&invitation(1), &zero, id, &name("requester"), &name("target")).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn foreign_bytes_open_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let opened = open(&target(), &Sealed::new(bytes), IntroductionId::random(), &name("requester"));
            prop_assert_eq!(opened.unwrap_err(), OpenError::NotForUs);
        }
        #[test]
        fn a_changed_byte_opens_nothing(at in 0usize..4096 + 48, change in 1u8..) {
            let (target, id) = (target(), IntroductionId::random());
            let mut bytes = seal_to(&target, id, &invitation(1)).as_bytes().to_vec();
            // X25519 ignores the top bit of a public key's last byte, but HPKE hashes the key as it came.
            bytes[at] ^= change;
            let opened = open(&target, &Sealed::new(bytes), id, &name("requester"));
            prop_assert_eq!(opened.unwrap_err(), OpenError::NotForUs);
        }
    }
}
