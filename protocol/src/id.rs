//! Ids, keys and tokens. All are made by the caller of an operation, so that a repeated call is recognised.

pub use crate::hex_bytes::HexError;
use crate::hex_bytes::hex_newtype;

hex_newtype! {
    /// One search, chosen by the searcher (128 bits).
    public SearchId[16]
}
hex_newtype! {
    /// One introduction, chosen by the requester (128 bits); stays the same when it is sent again.
    public IntroductionId[16]
}
hex_newtype! {
    /// SHA-256 over a certificate's DER form: what peers pin.
    public CertificateSha256[32]
}
hex_newtype! {
    /// The X25519 public key to which introductions for a peer are sealed (RFC 9180).
    public ReplyKey[32]
}
hex_newtype! {
    /// What a session shows in `Authorization: Bearer` (256 bits), chosen by the peer.
    secret SessionToken[32]
}
hex_newtype! {
    /// What the target must show before a requester asks for anything (256 bits), made for one introduction.
    secret MessageKey[32]
}

hex_newtype! {
    /// What opens the daemon's web page once (256 bits): the fragment of the link that `peerctl gui` prints.
    secret GuiLink[32]
}
hex_newtype! {
    /// What the page shows in `Authorization: Bearer` from then on (256 bits).
    secret GuiSession[32]
}

#[cfg(test)]
mod tests {
    use super::{MessageKey, SearchId};

    #[test]
    fn text_form_round_trips_and_rejects_other_lengths() {
        let id = SearchId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "00", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32)] {
            assert!(wrong.parse::<SearchId>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn every_byte_of_a_secret_is_random_and_counts() {
        let keys: Vec<_> = (0..64).map(|_| MessageKey::random()).collect();
        for at in 0..32 {
            // One byte of all 64 is the same by chance once in 2^504.
            assert!(keys.iter().any(|key| key.as_bytes()[at] != keys[0].as_bytes()[at]), "byte {at}");
            let mut other = *keys[0].as_bytes();
            other[at] ^= 1;
            assert_ne!(MessageKey::from_bytes(other), keys[0], "byte {at}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let key = MessageKey::from_bytes([0xab; 32]);
        assert!(!format!("{key:?}").contains("ab"));
        assert_eq!(*key.reveal(), "ab".repeat(32));
    }
}
