//! File identity: the pair (root, size), and the SHA-256 Merkle tree behind the root (BEP 52).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{hex_bytes::hex_newtype, limits::FILE_SIZE_MAX};

/// The tree's leaves cover this much of a file each.
pub const BLOCK_BYTES: u64 = 16 * 1024;
/// The smallest piece; doubled until a file has at most [`PIECES_MAX`].
pub const PIECE_BYTES_MIN: u64 = 1024 * 1024;
pub const PIECES_MAX: u64 = 16_384;

hex_newtype! {
    /// The root of a file's tree. Half of an identity: it does not bind the size.
    public Root[32]
}

/// A file's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FileId {
    pub root: Root,
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a file has at most {FILE_SIZE_MAX} bytes")]
pub struct SizeError;

impl FileId {
    pub fn new(root: Root, size: u64) -> Result<Self, SizeError> {
        if size > FILE_SIZE_MAX { Err(SizeError) } else { Ok(Self { root, size }) }
    }
    /// The piece length for this size.
    pub fn piece_bytes(&self) -> u64 {
        piece_bytes(self.size)
    }
    /// How many pieces the file has; none when it is empty.
    pub fn piece_count(&self) -> u64 {
        todo!()
    }
    /// The byte range of one piece.
    pub fn piece_range(&self, _index: u64) -> std::ops::Range<u64> {
        todo!()
    }
}

pub fn piece_bytes(_size: u64) -> u64 {
    todo!()
}

/// Hashes a file as it is read, in any chunks, for a size known beforehand.
pub struct FileHasher {}

impl FileHasher {
    pub fn new(_size: u64) -> Self {
        todo!()
    }
    pub fn update(&mut self, _bytes: &[u8]) {
        todo!()
    }
    /// The identity and its layer; an error when another number of bytes came than was told.
    pub fn finish(self) -> Result<(FileId, PieceLayer), WrongLength> {
        todo!()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file had another length while it was read")]
pub struct WrongLength;

/// The tree's level at piece width: the hash of each piece, proven to belong to a [`FileId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceLayer {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LayerError {
    #[error("the piece layer has another length than the size wants")]
    Length,
    #[error("the piece layer does not lead to the root")]
    Root,
}

impl PieceLayer {
    /// Checks a received layer (32 bytes a piece) against the identity. A file of one piece or none needs no
    /// bytes: its layer is the root itself.
    pub fn verify(_file: &FileId, _bytes: &[u8]) -> Result<Self, LayerError> {
        todo!()
    }
    /// 32 bytes a piece; empty for a file of one piece or none.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
    pub fn file(&self) -> FileId {
        todo!()
    }
    /// A hasher that tells whether bytes are the piece at `index`.
    pub fn piece_check(&self, _index: u64) -> PieceCheck {
        todo!()
    }
}

/// Checks one piece as its bytes arrive.
pub struct PieceCheck {}

impl PieceCheck {
    pub fn update(&mut self, _bytes: &[u8]) {
        todo!()
    }
    /// Bytes still missing.
    pub fn remaining(&self) -> u64 {
        todo!()
    }
    /// Whether exactly the right bytes came.
    pub fn finish(self) -> bool {
        todo!()
    }
}
