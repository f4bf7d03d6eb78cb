//! TLS between peers: 1.3 only, ALPN `hearsay/1`, certificates pinned by their SHA-256, nothing resumed.
//!
//! There is no authority: a certificate is what the other side named for this introduction, under the seal or
//! in its answer. A pin counts only after the handshake signature was verified, which proves that the other
//! side has the certificate's key.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, LazyLock},
    time::Duration,
};

use protocol::{CertificateSha256, paths::ALPN};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::SingleCertAndKey,
    version::TLS13,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::{
    first_bytes::{FirstBytesError, Replay, read_client_hello},
    limits::TLS_BUFFER_BYTES,
};
use crate::introductions::{identity::Identity, tls_key::certificate_sha256};

/// The requester's end. Reads are buffered below TLS, which by itself reads 4 KiB at a time.
pub type RequesterTls<IO> = client::TlsStream<BufReader<IO>>;
/// The target's end.
pub type TargetTls<IO> = server::TlsStream<Replay<IO>>;

#[derive(Debug, Error)]
pub enum TlsError {
    /// What the limit was for is not told: nothing at all came, or the handshake was not finished.
    #[error("the other side was silent")]
    Silent,
    #[error("the other side closed the connection at once")]
    Closed,
    #[error("the other side does not speak as a requester")]
    NotARequester,
    #[error("the other side showed another certificate than the one it named")]
    Pin,
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        match tls_cause(&error) {
            // Only the verifiers below say this.
            Some(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                Self::Pin
            }
            None if error.kind() == io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Handshake(error),
        }
    }
}

impl From<FirstBytesError> for TlsError {
    fn from(error: FirstBytesError) -> Self {
        match error {
            FirstBytesError::Foreign => Self::NotARequester,
            FirstBytesError::Closed => Self::Closed,
            FirstBytesError::Lost(error) => error.into(),
        }
    }
}

/// The TLS library's error inside an I/O error, where there is one.
pub(super) fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Starts TLS as the requester, whoever dialled. Tells whose certificate was shown; with a pin, no other is
/// accepted.
pub async fn start_as_requester<IO>(
    io: IO,
    identity: &Identity,
    expected: Option<CertificateSha256>,
    limit: Duration,
) -> Result<(RequesterTls<IO>, CertificateSha256), TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let connector = TlsConnector::from(Arc::new(requester_config(identity, expected)?));
    // Peers have no names; an address is never sent as SNI.
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
    let io = BufReader::with_capacity(TLS_BUFFER_BYTES, io);
    let tls = timeout(limit, connector.connect(nobody, io)).await.map_err(|_| TlsError::Silent)??;
    let (_, session) = tls.get_ref();
    if session.alpn_protocol() != Some(ALPN) {
        return Err(handshake_failure("the target does not speak hearsay/1"));
    }
    // The library tells a certificate only once the handshake signature was verified with its key.
    let shown = session.peer_certificates().and_then(<[_]>::first).map(certificate_sha256);
    let shown = shown.ok_or_else(|| handshake_failure("the target showed no certificate"))?;
    Ok((tls, shown))
}

/// Starts TLS as the target, whoever dialled. Writes nothing before the other side has sent a ClientHello.
pub async fn start_as_target<IO>(
    io: IO,
    identity: &Identity,
    requester: CertificateSha256,
    limit: Duration,
) -> Result<TargetTls<IO>, TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = TlsAcceptor::from(Arc::new(target_config(identity, requester)?));
    let start = async {
        let io = read_client_hello(io).await?;
        let tls =
            acceptor.accept_with(io, |session| session.set_buffer_limit(Some(TLS_BUFFER_BYTES))).await?;
        Ok(tls)
    };
    timeout(limit, start).await.map_err(|_| TlsError::Silent)?
}

fn handshake_failure(what: &'static str) -> TlsError {
    TlsError::Handshake(io::Error::other(what))
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

fn requester_config(
    identity: &Identity,
    expected: Option<CertificateSha256>,
) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Handshake(io::Error::other(error)))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedTarget { expected }))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.requester_key())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

fn target_config(identity: &Identity, requester: CertificateSha256) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| TlsError::Handshake(io::Error::other(error)))?
        .with_client_cert_verifier(Arc::new(PinnedRequester { requester }))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.target_key())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// The comparison that pins; its error is [`TlsError::Pin`].
fn check_pin(shown: &CertificateDer<'_>, pinned: CertificateSha256) -> Result<(), rustls::Error> {
    if certificate_sha256(shown) == pinned {
        Ok(())
    } else {
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

fn check_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    verify_tls13_signature(message, certificate, signature, &PROVIDER.signature_verification_algorithms)
}

/// TLS 1.2 is not configured; a signature of it has no way to come here and no way to pass.
fn no_tls12() -> Result<HandshakeSignatureValid, rustls::Error> {
    Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
}

/// What the requester accepts: the pinned target, or anyone, who must then show the message-key.
#[derive(Debug)]
struct PinnedTarget {
    expected: Option<CertificateSha256>,
}

impl ServerCertVerifier for PinnedTarget {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(expected) = self.expected {
            check_pin(end_entity, expected)?;
        }
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

/// What the target accepts: the certificate that the seal named.
#[derive(Debug)]
struct PinnedRequester {
    requester: CertificateSha256,
}

impl ClientCertVerifier for PinnedRequester {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        check_pin(end_entity, self.requester)?;
        Ok(ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        no_tls12()
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        check_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
