//! What the coordinator keeps instead of names: keyed hashes, and a seal that lets each peer carry its own name.
//!
//! All keys derive from one, random for the process or kept in a file. Where it is kept in a file, name tokens
//! survive a restart.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chacha20poly1305::{
    XChaCha20Poly1305,
    aead::{Aead as _, KeyInit as _},
};
use hmac::{Hmac, Mac as _};
use protocol::{SessionToken, Username, session::NameToken};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::SipHasher24;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::domain::sessions::{HashedName, LineageHash, SessionId};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// HMAC-SHA256 takes keys of this length as they are.
const HMAC_BLOCK_BYTES: usize = 64;
/// Anyone beside the owner: a key file must not be open to them.
const OTHERS_MODE: u32 = 0o077;

/// The chain of sessions of one peer under one name.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Lineage([u8; 16]);

/// What a name token says.
pub(crate) struct SealedName {
    pub(crate) username: Username,
    pub(crate) lineage: Lineage,
    pub(crate) issued: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct SealedText {
    username: Username,
    lineage: Lineage,
    issued: u64,
}

#[derive(Debug, Error)]
pub enum KeyFileError {
    #[error("the key file {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the key file {path} does not hold {KEY_BYTES} bytes: delete it and a new one is made")]
    Length { path: PathBuf },
    #[error("the key file {path} is open to other users: run chmod 600 on it")]
    Open { path: PathBuf },
}

/// The coordinator's keys.
pub(crate) struct Keys {
    names: Hmac<Sha256>,
    lineages: Hmac<Sha256>,
    sealer: XChaCha20Poly1305,
}

impl Keys {
    /// Keys that die with the process.
    pub(crate) fn random() -> Self {
        let mut root = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *root);
        Self::derive(&root)
    }

    /// Keys from a file, which is made when it is missing. It must be its owner's alone, unless it `is_guarded`.
    pub(crate) fn from_file(path: &Path, is_guarded: bool) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_key(path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        };
        if !is_guarded && fs::metadata(path).map_err(failed)?.mode() & OTHERS_MODE != 0 {
            return Err(KeyFileError::Open { path: path.to_owned() });
        }
        let root: &[u8; KEY_BYTES] =
            bytes.as_slice().try_into().map_err(|_| KeyFileError::Length { path: path.to_owned() })?;
        Ok(Self::derive(root))
    }

    fn derive(root: &[u8; KEY_BYTES]) -> Self {
        let root = hmac_with(root);
        let derived = |label: &[u8]| Zeroizing::new(hash(&root, &[label]));
        Self {
            names: hmac_with(&derived(b"hearsay names")),
            lineages: hmac_with(&derived(b"hearsay lineages")),
            sealer: XChaCha20Poly1305::new((&*derived(b"hearsay name tokens")).into()),
        }
    }

    pub(crate) fn hash_name(&self, username: &Username) -> HashedName {
        let skeleton = Zeroizing::new(username.skeleton());
        let exact = Zeroizing::new(username.comparison_key());
        HashedName {
            skeleton: half(hash(&self.names, &[b"skeleton\n", skeleton.as_bytes()])),
            exact: half(hash(&self.names, &[b"exact\n", exact.as_bytes()])),
        }
    }

    /// The lineage that begins with a session. It follows from the session's token, so that a repeated connect
    /// is answered with the same one; to all others it is random.
    pub(crate) fn new_lineage(&self, token: &SessionToken) -> Lineage {
        Lineage(half(hash(&self.lineages, &[token.as_bytes()])))
    }

    /// Seals a name for the peer that holds it.
    pub(crate) fn seal_name(&self, username: &Username, lineage: &Lineage, issued: SystemTime) -> NameToken {
        let issued = issued.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let text = SealedText { username: username.clone(), lineage: lineage.clone(), issued };
        // Strings and numbers always serialise, and this cipher always encrypts so little; an empty token,
        // which opens nowhere, stands in for the impossible.
        let text = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce);
        let cipher_text = self.sealer.encrypt(&nonce.into(), text.as_slice()).unwrap_or_default();
        NameToken::new(BASE64.encode([&nonce[..], &cipher_text].concat()))
    }

    /// Opens a name token that this coordinator sealed at most `lifetime` ago.
    pub(crate) fn open_name(&self, token: &str, lifetime: Duration, now: SystemTime) -> Option<SealedName> {
        let bytes = BASE64.decode(token).ok()?;
        let (nonce, cipher_text) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let text = Zeroizing::new(self.sealer.decrypt(nonce.into(), cipher_text).ok()?);
        let SealedText { username, lineage, issued } = serde_json::from_slice(&text).ok()?;
        let issued = UNIX_EPOCH + Duration::from_secs(issued);
        let is_fresh = issued + lifetime > now;
        is_fresh.then_some(SealedName { username, lineage, issued })
    }
}

/// A name token tells the second in which it was issued: what is compared with it is cut alike, so that one of
/// the same second never counts as earlier.
pub(crate) fn whole_seconds(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()))
}

/// The session that a token opens. The token is random enough to need no key, and a lookup by its hash tells
/// nothing through time.
pub(crate) fn session_id(token: &SessionToken) -> SessionId {
    SessionId(half(Sha256::digest(token.as_bytes()).into()))
}

pub(crate) fn hash_lineage(lineage: &Lineage) -> LineageHash {
    LineageHash(half(Sha256::digest(lineage.0).into()))
}

/// Hashes addresses under a key of its own, which nobody knows and which is soon forgotten.
pub(crate) struct AddressHasher(SipHasher24);

impl AddressHasher {
    pub(crate) fn random() -> Self {
        let mut key = Zeroizing::new([0; 16]);
        rand::fill(&mut *key);
        Self(SipHasher24::new_with_key(&key))
    }

    pub(crate) fn hash(&self, address: &[u8]) -> [u8; 16] {
        self.0.hash(address).as_bytes()
    }
}

fn hmac_with(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; HMAC_BLOCK_BYTES]);
    block[..KEY_BYTES].copy_from_slice(key);
    Hmac::new((&*block).into())
}

fn hash(key: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = key.clone();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into_bytes().into()
}

/// 128 bits are enough for a table, and half the memory.
fn half(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

fn create_key(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
    rand::fill(key.as_mut_slice());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_name_token_opens_for_a_day_and_only_here() {
        let keys = Keys::random();
        let username = Username::parse("alice").unwrap();
        let lineage = keys.new_lineage(&SessionToken::random());
        let now = crate::clock::wall();
        let token = keys.seal_name(&username, &lineage, now);

        let opened = keys.open_name(token.reveal(), DAY, now + DAY - Duration::from_secs(2)).unwrap();
        assert_eq!(opened.username, username);
        assert_eq!(opened.lineage.0, lineage.0);
        assert!(keys.open_name(token.reveal(), DAY, now + DAY).is_none(), "it is too old");
        assert!(Keys::random().open_name(token.reveal(), DAY, now).is_none(), "another key opened it");
        let mut forged = token.reveal().to_owned();
        forged.replace_range(40..41, if &forged[40..41] == "A" { "B" } else { "A" });
        for wrong in ["", "AAAA", "é", &forged] {
            assert!(keys.open_name(wrong, DAY, now).is_none(), "{wrong:?} was opened");
        }
    }

    #[test]
    fn names_hash_alike_when_they_are_alike() {
        let keys = Keys::random();
        let hashed = |name: &str| keys.hash_name(&Username::parse(name).unwrap());
        assert_eq!(hashed("Alice"), hashed("alice"));
        assert_eq!(hashed("paul1").skeleton, hashed("paull").skeleton);
        assert_ne!(hashed("paul1").exact, hashed("paull").exact);
        assert_ne!(Keys::random().hash_name(&Username::parse("alice").unwrap()), hashed("alice"));
    }

    #[test]
    fn a_key_file_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let username = Username::parse("alice").unwrap();
        let first = Keys::from_file(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Keys::from_file(&path, false).unwrap().hash_name(&username), first.hash_name(&username));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keys::from_file(&path, false), Err(KeyFileError::Open { .. })));
        assert!(Keys::from_file(&path, true).is_ok(), "whose list of users is somebody else's care");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Keys::from_file(&path, false), Err(KeyFileError::Length { .. })));
    }
}
