//! TLS 1.3 with the other side's certificate pinned, in both roles.

use std::sync::Arc;

use protocol::{CertificateSha256, paths::ALPN};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    version::TLS13,
};

use super::{Identity, pin_of};

/// Accepts exactly one certificate, whoever shows it.
#[derive(Debug)]
struct Pin {
    wanted: CertificateSha256,
    provider: Arc<CryptoProvider>,
}

impl Pin {
    fn on(wanted: CertificateSha256) -> Arc<Self> {
        Arc::new(Self { wanted, provider: Arc::new(aws_lc_rs::default_provider()) })
    }

    fn check(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if pin_of(shown) == self.wanted {
            Ok(())
        } else {
            Err(Error::General("another certificate than the pinned one".to_owned()))
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The target's side, which wants the certificate from the invitation.
pub(super) fn server(identity: &Identity, pinned: CertificateSha256) -> ServerConfig {
    let pin = Pin::on(pinned);
    let mut configuration = ServerConfig::builder_with_provider(pin.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(pin)
        .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())
        .expect("a certificate with its key");
    configuration.alpn_protocols = vec![ALPN.to_vec()];
    configuration.send_tls13_tickets = 0;
    configuration
}

/// The requester's side, which wants the certificate from the answer.
pub(super) fn client(identity: &Identity, pinned: CertificateSha256) -> ClientConfig {
    let pin = Pin::on(pinned);
    let mut configuration = ClientConfig::builder_with_provider(pin.provider.clone())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(pin)
        .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())
        .expect("a certificate with its key");
    configuration.alpn_protocols = vec![ALPN.to_vec()];
    configuration.enable_sni = false;
    configuration
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
