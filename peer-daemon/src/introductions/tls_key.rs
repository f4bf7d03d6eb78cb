//! A TLS key and its self-signed certificate, which names nobody and tells no time: what counts is its hash.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use protocol::CertificateSha256;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::identity::IdentityError;

pub(crate) struct TlsKey {
    certificate_sha256: CertificateSha256,
    pkcs8: Zeroizing<Vec<u8>>,
    certified_key: Arc<CertifiedKey>,
}

impl TlsKey {
    pub(super) fn generate() -> Result<Self, IdentityError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        let certificate = parameters.self_signed(&key)?.der().clone();
        Self::from_parts(certificate, Zeroizing::new(key.serialize_der()))
    }

    fn from_parts(
        certificate: CertificateDer<'static>,
        pkcs8: Zeroizing<Vec<u8>>,
    ) -> Result<Self, IdentityError> {
        let certificate_sha256 = certificate_sha256(&certificate);
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_slice()));
        let signing_key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&private_key)?;
        let certified_key = CertifiedKey::new(vec![certificate], signing_key);
        certified_key.keys_match()?;
        Ok(Self { certificate_sha256, pkcs8, certified_key: Arc::new(certified_key) })
    }

    /// What others pin.
    pub(crate) fn certificate_sha256(&self) -> CertificateSha256 {
        self.certificate_sha256
    }

    /// Certificate and key as TLS uses them.
    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified_key)
    }
}

pub(crate) fn certificate_sha256(certificate: &CertificateDer<'_>) -> CertificateSha256 {
    CertificateSha256::from_bytes(Sha256::digest(certificate).into())
}

/// Byte strings are base64.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredTlsKey {
    pub(super) certificate: String,
    pub(super) tls_key_pkcs8: Zeroizing<String>,
}

impl From<&TlsKey> for StoredTlsKey {
    fn from(key: &TlsKey) -> Self {
        let certificate = key.certified_key.cert.first().map_or(&[][..], |certificate| certificate);
        Self {
            certificate: BASE64.encode(certificate),
            tls_key_pkcs8: Zeroizing::new(BASE64.encode(&*key.pkcs8)),
        }
    }
}

impl TryFrom<StoredTlsKey> for TlsKey {
    type Error = IdentityError;
    fn try_from(stored: StoredTlsKey) -> Result<Self, IdentityError> {
        let bytes = |text: &str| BASE64.decode(text).map_err(|_| IdentityError::Stored);
        let certificate = CertificateDer::from(bytes(&stored.certificate)?);
        Self::from_parts(certificate, Zeroizing::new(bytes(&stored.tls_key_pkcs8)?))
    }
}
