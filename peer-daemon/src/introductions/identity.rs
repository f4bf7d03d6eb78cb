//! The key pairs that a peer is known by for a day.
//!
//! They belong to the username and live a day, so that neither a coordinator nor another peer can follow
//! someone by a key across names or over time. The previous ones count for one more day: an answer given just
//! before the change still leads somewhere.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hpke::{Deserializable as _, Kem as _, Serializable as _, kem::X25519HkdfSha256};
use protocol::{CertificateSha256, ReplyKey, Username};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::tls_key::{StoredTlsKey, TlsKey};

/// How long key pairs are the current ones, and then for how long the previous ones.
pub const IDENTITY_LIFETIME: Duration = Duration::from_hours(24);

pub(super) type ReplySecret = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;

#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("a certificate can't be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the TLS key can't be used")]
    TlsKey(#[from] rustls::Error),
    #[error("the stored identity can't be read")]
    Stored,
}

/// One period's key pairs: X25519 for HPKE, and two for TLS, one a role.
///
/// The certificate of the target is told with the username to whoever searches. That of the requester is shown to
/// whoever connects to the download port while something is pending. If they were one, a stranger who tries addresses
/// would learn whose they are. So the requester's is named under seals only.
pub struct Identity {
    created: SystemTime,
    reply_secret: ReplySecret,
    reply_key: ReplyKey,
    target_key: TlsKey,
    requester_key: TlsKey,
}

impl Identity {
    /// Fresh key pairs.
    pub fn generate(now: SystemTime) -> Result<Self, IdentityError> {
        let (reply_secret, _) = X25519HkdfSha256::gen_keypair();
        Ok(Self::from_parts(now, reply_secret, TlsKey::generate()?, TlsKey::generate()?))
    }

    fn from_parts(
        created: SystemTime,
        reply_secret: ReplySecret,
        target_key: TlsKey,
        requester_key: TlsKey,
    ) -> Self {
        let reply_key = ReplyKey::from_bytes(X25519HkdfSha256::sk_to_pk(&reply_secret).to_bytes().into());
        Self { created, reply_secret, reply_key, target_key, requester_key }
    }

    /// What requesters pin: told in answers.
    pub fn certificate_sha256(&self) -> CertificateSha256 {
        self.target_key.certificate_sha256()
    }

    /// What targets pin: named under seals, and nowhere else.
    pub fn requester_certificate_sha256(&self) -> CertificateSha256 {
        self.requester_key.certificate_sha256()
    }

    /// What others seal to.
    pub fn reply_key(&self) -> ReplyKey {
        self.reply_key
    }

    pub(super) fn reply_secret(&self) -> &ReplySecret {
        &self.reply_secret
    }

    /// As TLS uses it.
    pub(crate) fn target_key(&self) -> Arc<CertifiedKey> {
        self.target_key.certified_key()
    }

    /// As TLS uses it.
    pub(crate) fn requester_key(&self) -> Arc<CertifiedKey> {
        self.requester_key.certified_key()
    }

    /// Secret, for the state store only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        to_json(&StoredIdentity::from(self))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        serde_json::from_slice::<StoredIdentity>(bytes).map_err(|_| IdentityError::Stored)?.try_into()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.certificate_sha256())
    }
}

/// A username's identity of today, and yesterday's.
#[derive(Debug)]
pub struct Identities {
    username: Username,
    current: Arc<Identity>,
    previous: Option<Arc<Identity>>,
}

impl Identities {
    /// Reads what [`Self::to_bytes`] wrote, and rotates where that is due. Fresh key pairs where nothing is
    /// stored, where it can't be read, and for another username: a seal is bound to the name that it was made
    /// for, so the old name's keys are of no use. Store the bytes again afterwards.
    pub fn load_or_generate(
        stored: Option<&[u8]>,
        username: &Username,
        now: SystemTime,
    ) -> Result<Self, IdentityError> {
        let stored = stored.and_then(|bytes| serde_json::from_slice::<StoredIdentities>(bytes).ok());
        if let Some(stored) = stored.filter(|stored| stored.username == username.as_str())
            && let Ok(current) = Identity::try_from(stored.current)
        {
            let previous = stored.previous.and_then(|previous| Identity::try_from(previous).ok());
            let mut identities = Self {
                username: username.clone(),
                current: Arc::new(current),
                previous: previous.map(Arc::new),
            };
            identities.rotate_if_due(now)?;
            return Ok(identities);
        }
        Ok(Self { username: username.clone(), current: Arc::new(Identity::generate(now)?), previous: None })
    }

    /// Makes the current identity the previous one after a day, and forgets the previous one after another.
    /// A date in the future (the clock was set back) counts as a day old. Tells whether something changed, so
    /// that the bytes are to be stored again.
    pub fn rotate_if_due(&mut self, now: SystemTime) -> Result<bool, IdentityError> {
        let age = |identity: &Identity| now.duration_since(identity.created).unwrap_or(IDENTITY_LIFETIME);
        let mut changed = false;
        if age(&self.current) >= IDENTITY_LIFETIME {
            let fresh = Arc::new(Identity::generate(now)?);
            self.previous = Some(std::mem::replace(&mut self.current, fresh));
            changed = true;
        }
        if self.previous.as_deref().is_some_and(|previous| age(previous) >= 2 * IDENTITY_LIFETIME) {
            self.previous = None;
            changed = true;
        }
        Ok(changed)
    }

    pub fn username(&self) -> &Username {
        &self.username
    }

    /// The one to answer searches and seal with.
    pub fn current(&self) -> &Arc<Identity> {
        &self.current
    }

    /// Those that seals are opened with, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Identity>> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Secret, for the state store only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        to_json(&StoredIdentities {
            username: self.username.as_str().to_owned(),
            current: StoredIdentity::from(&*self.current),
            previous: self.previous.as_deref().map(StoredIdentity::from),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredIdentities {
    username: String,
    current: StoredIdentity,
    previous: Option<StoredIdentity>,
}

/// Byte strings are base64.
#[derive(Serialize, Deserialize)]
struct StoredIdentity {
    created_unix_seconds: u64,
    reply_secret: Zeroizing<String>,
    /// With the next field, the target's.
    certificate: String,
    tls_key_pkcs8: Zeroizing<String>,
    /// Not in what earlier versions stored: a fresh one does, for nobody has to recognise it.
    #[serde(default)]
    requester: Option<StoredTlsKey>,
}

impl From<&Identity> for StoredIdentity {
    fn from(identity: &Identity) -> Self {
        let since_epoch = identity.created.duration_since(UNIX_EPOCH).unwrap_or_default();
        let StoredTlsKey { certificate, tls_key_pkcs8 } = (&identity.target_key).into();
        Self {
            created_unix_seconds: since_epoch.as_secs(),
            reply_secret: Zeroizing::new(BASE64.encode(identity.reply_secret.to_bytes())),
            certificate,
            tls_key_pkcs8,
            requester: Some((&identity.requester_key).into()),
        }
    }
}

impl TryFrom<StoredIdentity> for Identity {
    type Error = IdentityError;
    fn try_from(stored: StoredIdentity) -> Result<Self, IdentityError> {
        let StoredIdentity { created_unix_seconds, reply_secret, certificate, tls_key_pkcs8, requester } =
            stored;
        let created =
            UNIX_EPOCH.checked_add(Duration::from_secs(created_unix_seconds)).ok_or(IdentityError::Stored)?;
        let reply_secret = BASE64.decode(&*reply_secret).map(Zeroizing::new);
        let reply_secret = reply_secret.map_err(|_| IdentityError::Stored)?;
        let reply_secret = ReplySecret::from_bytes(&reply_secret).map_err(|_| IdentityError::Stored)?;
        let target_key = StoredTlsKey { certificate, tls_key_pkcs8 }.try_into()?;
        let requester_key = requester.map_or_else(TlsKey::generate, TlsKey::try_from)?;
        Ok(Self::from_parts(created, reply_secret, target_key, requester_key))
    }
}

/// Serialising these plain structures can't fail; if it did, nothing readable would be stored and the next
/// start would make fresh key pairs.
fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;
    use protocol::Username;

    use super::{IDENTITY_LIFETIME, Identities, Identity};

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }
    fn day(days: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(500_000) + IDENTITY_LIFETIME.mul_f64(days)
    }
    fn hashes(identities: &Identities) -> Vec<String> {
        identities.all().map(|identity| identity.certificate_sha256().to_string()).collect()
    }

    #[test]
    fn an_identity_survives_storage_and_names_nobody() {
        let identity = Identity::generate(day(0.0)).unwrap();
        let again = Identity::from_bytes(&identity.to_bytes()).unwrap();
        assert_eq!(again.certificate_sha256(), identity.certificate_sha256());
        assert_eq!(again.requester_certificate_sha256(), identity.requester_certificate_sha256());
        assert_eq!(again.reply_key(), identity.reply_key());
        assert!(Identity::from_bytes(b"{}").is_err());

        for key in [identity.target_key(), identity.requester_key()] {
            let text = String::from_utf8_lossy(&key.cert[0]).into_owned();
            assert!(!text.contains("rcgen") && !text.contains("hearsay"), "{text}");
        }
    }

    #[test]
    fn what_an_earlier_version_stored_gets_a_certificate_for_the_requester() {
        let identity = Identity::generate(day(0.0)).unwrap();
        let mut stored: serde_json::Value = serde_json::from_slice(&identity.to_bytes()).unwrap();
        stored.as_object_mut().unwrap().remove("requester").unwrap();
        let again = Identity::from_bytes(stored.to_string().as_bytes()).unwrap();
        assert_eq!(again.certificate_sha256(), identity.certificate_sha256());
        assert_ne!(again.requester_certificate_sha256(), identity.certificate_sha256());
    }

    #[test]
    fn the_previous_identity_counts_for_one_more_day() {
        let mut identities = Identities::load_or_generate(None, &name("alice"), day(0.0)).unwrap();
        let first = hashes(&identities);
        assert_eq!(first.len(), 1);
        assert!(!identities.rotate_if_due(day(0.99)).unwrap());

        assert!(identities.rotate_if_due(day(1.0)).unwrap());
        let second = hashes(&identities);
        assert_eq!(second[1], first[0]);
        assert_ne!(second[0], first[0]);

        assert!(identities.rotate_if_due(day(2.0)).unwrap());
        assert!(!hashes(&identities).contains(&first[0]));
    }

    #[test]
    fn identities_survive_a_restart_but_not_a_change_of_name() {
        let mut identities = Identities::load_or_generate(None, &name("alice"), day(0.0)).unwrap();
        identities.rotate_if_due(day(1.0)).unwrap();
        let stored = identities.to_bytes();
        let load = |username: &str, at| {
            hashes(&Identities::load_or_generate(Some(&stored), &name(username), at).unwrap())
        };
        assert_eq!(load("alice", day(1.5)), hashes(&identities));
        assert!(load("bob", day(1.5)).iter().all(|hash| !hashes(&identities).contains(hash)));
        assert_eq!(load("alice", day(9.0)).len(), 1, "what is long past is forgotten");
        let fresh = Identities::load_or_generate(Some(b"torn"), &name("alice"), day(1.5)).unwrap();
        assert_eq!(hashes(&fresh).len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Whatever the clock does: the current identity is less than a day old and none over two.
        #[test]
        fn no_identity_outlives_two_days(steps in prop::collection::vec(-1.5..2.5f64, 1..20)) {
            let mut identities = Identities::load_or_generate(None, &name("alice"), day(100.0)).unwrap();
            let mut now = 100.0;
            for step in steps {
                now += step;
                identities.rotate_if_due(day(now)).unwrap();
                let age = |identity: &Identity| day(now).duration_since(identity.created).unwrap_or_default();
                prop_assert!(age(identities.current()) < IDENTITY_LIFETIME);
                prop_assert!(identities.all().all(|identity| age(identity) < 2 * IDENTITY_LIFETIME));
            }
        }
    }
}
