//! A peer played by hand: it keeps to the protocol only as far as its test wants.

mod asker;
mod requester;
mod serving;
mod source;
mod stream;
mod target;
mod tls;

use hpke::{Kem as _, Serializable as _, kem::X25519HkdfSha256};
use protocol::{CertificateSha256, ReplyKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

pub use self::{
    asker::Asker,
    requester::{Found, Invited},
    source::{Manner, Offered, ScriptedSource},
    stream::{RequesterStream, Response, path_of},
    target::{DialBack, Opened},
};
use crate::session::Session;

type Kem = X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Aead = hpke::aead::ChaCha20Poly1305;
/// The length of an encapsulated X25519 key, which a seal begins with.
const ENCAPSULATED_BYTES: usize = 32;

pub struct ScriptedPeer {
    pub session: Session,
    identity: Identity,
}

/// Both key pairs of a peer.
struct Identity {
    secret: <Kem as hpke::Kem>::PrivateKey,
    public: ReplyKey,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl ScriptedPeer {
    pub async fn connect(url: &str, username: &str) -> Self {
        Self::in_session(Session::connect(url, username).await)
    }

    pub fn in_session(session: Session) -> Self {
        Self { session, identity: Identity::new() }
    }
}

impl Identity {
    fn new() -> Self {
        let (secret, public) = Kem::gen_keypair();
        let tls = rcgen::generate_simple_self_signed(["peer.hearsay.invalid".to_owned()])
            .expect("a self-signed certificate");
        Self {
            secret,
            public: ReplyKey::from_bytes(public.to_bytes().into()),
            certificate: tls.cert.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(tls.signing_key.serialize_der())),
        }
    }

    fn certificate_sha256(&self) -> CertificateSha256 {
        pin_of(&self.certificate)
    }
}

fn pin_of(certificate: &CertificateDer<'_>) -> CertificateSha256 {
    CertificateSha256::from_bytes(Sha256::digest(certificate).into())
}
