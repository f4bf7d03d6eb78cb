//! The requester's side.

use std::{marker::PhantomData, ops::Range};

use hyper::body::Bytes;
use protocol::{
    CertificateSha256, Code, FileId, IntroductionId, introduction::IntroductionProof, root::PieceLayer,
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::introductions::identity::Identity;

#[derive(Debug, Error)]
pub enum StreamError {
    #[error("the TLS handshake failed")]
    Handshake,
    #[error("the peer showed another certificate")]
    Pin,
    #[error("the stream broke off")]
    Lost,
    #[error("nothing came in time")]
    Idle,
    #[error("the peer refused: {status} {}", code.as_str())]
    Refused { status: u16, code: Code },
    #[error("the peer broke the protocol: {0}")]
    Protocol(&'static str),
}

/// A stream on which files can be asked for.
pub struct Requester {}

impl Requester {
    pub async fn establish<IO>(
        _io: IO,
        _identity: &Identity,
        _expected_target: Option<CertificateSha256>,
    ) -> Result<Self, StreamError>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        todo!()
    }
    /// On a stream that the requester dialled (`dial_me`): requests name the introduction.
    #[must_use]
    pub fn naming(self, _id: IntroductionId) -> Self {
        todo!()
    }
    pub fn target_certificate(&self) -> CertificateSha256 {
        todo!()
    }
    pub async fn proof(&mut self) -> Result<IntroductionProof, StreamError> {
        todo!()
    }
    pub async fn piece_layer(&mut self, _file: &FileId) -> Result<PieceLayer, StreamError> {
        todo!()
    }
    pub async fn fetch(&mut self, _file: &FileId, _range: Range<u64>) -> Result<FileBody<'_>, StreamError> {
        todo!()
    }
    pub async fn close(self) {
        todo!()
    }
}

/// The bytes of one range, no more and no fewer.
pub struct FileBody<'a> {
    _requester: PhantomData<&'a mut Requester>,
}

impl FileBody<'_> {
    /// `None` once the whole range has come.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        todo!()
    }
}
