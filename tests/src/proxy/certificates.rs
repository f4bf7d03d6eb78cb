//! A certificate for localhost, signed by an authority of the test's own.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// The authority's certificate, in the folder of whoever has a certificate of it.
pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const CERTIFICATE: &str = "certificate.pem";
pub(crate) const KEY: &str = "key.pem";
/// Both of them, as HAProxy wants them.
pub(crate) const CERTIFICATE_AND_KEY: &str = "certificate-and-key.pem";

pub(crate) fn write(folder: &Path) {
    let mut authority = CertificateParams::new([]).expect("parameters of an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate for self-signed whose issuer has the same name.
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
        .expect("a self-signed authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .and_then(|parameters| parameters.signed_by(&key, &authority))
        .expect("a certificate for localhost");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    for (name, pem) in [
        (AUTHORITY, &authority.pem()),
        (CERTIFICATE_AND_KEY, &format!("{certificate}{key}")),
        (CERTIFICATE, &certificate),
        (KEY, &key),
    ] {
        fs::write(folder.join(name), pem).expect("a file for a certificate");
    }
}
