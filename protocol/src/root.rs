//! File identity: the pair (root, size), and how bytes are proven to belong to it.
//!
//! The root is BitTorrent v2's `pieces root` (BEP 52): SHA-256 over blocks of 16 KiB, the last one short, and
//! a binary tree over those, padded with zero leaves to a power of two. The tree does not bind the size: the
//! 64 bytes made of a root's two children hash to that same root. So a root never goes without its size, and
//! whatever is checked here is checked for its length too.
//!
//! A file is verified piece by piece. Its piece layer is the tree's level at piece width: it is proven against
//! the root once, and then each piece against its entry in it.
//!
//! ```text
//!              root                 the layer is padded with roots of all-zero subtrees
//!            /      \
//!         o            o
//!       /   \        /   \
//!     p0     p1    p2    zero       the piece layer: 32 bytes each, p0 to p2
//!     /\     /\    /\
//!    …  …   …  …  b  zero           blocks; the last piece is padded with zero leaves
//! ```

use serde::Serialize;
use thiserror::Error;

use crate::{
    hex_bytes::hex_newtype,
    limits::FILE_SIZE_MAX,
    merkle::{self, BlockTree, Hash, Levels, ZERO_LEAF},
};

/// The tree's leaves cover this much of a file each: 16 KiB.
pub const BLOCK_BYTES: u64 = merkle::BLOCK_BYTES as u64;
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
        piece_count(self.size)
    }
    /// The byte range of one piece; empty beyond the last.
    pub fn piece_range(&self, index: u64) -> std::ops::Range<u64> {
        let start = index.saturating_mul(self.piece_bytes()).min(self.size);
        start..start.saturating_add(self.piece_bytes()).min(self.size)
    }
}

/// The piece length for a file of `size` bytes: as small as [`PIECES_MAX`] allows, so that the layer stays
/// within 512 KiB however large the file is.
pub const fn piece_bytes(size: u64) -> u64 {
    let mut bytes = PIECE_BYTES_MIN;
    while size.div_ceil(bytes) > PIECES_MAX {
        bytes *= 2;
    }
    bytes
}

const _: () = assert!(
    ((piece_bytes(u64::MAX) / BLOCK_BYTES).ilog2() as usize) < merkle::LEVELS_MAX,
    "the tree over the largest piece can be built"
);

fn piece_count(size: u64) -> u64 {
    size.div_ceil(piece_bytes(size))
}

/// Levels between the blocks of one piece and the piece's hash. The only piece of a file is the whole tree,
/// which is no higher than its blocks need.
fn piece_height(size: u64) -> u32 {
    merkle::height(size.min(piece_bytes(size)).div_ceil(BLOCK_BYTES))
}

/// The root over the hashes of a file's pieces.
fn root_of_layer(size: u64, layer: &[Hash]) -> Root {
    let mut levels = Levels::new();
    for &piece in layer {
        levels.push(piece);
    }
    let padding = merkle::uniform_root(ZERO_LEAF, piece_height(size));
    Root::from_bytes(levels.take_root(merkle::height(piece_count(size)), padding))
}

/// Hashes a file as it is read, in any chunks, for a size known beforehand. Holds one hash a piece.
pub struct FileHasher {
    size: u64,
    /// Still to come; `None` once too much came.
    remaining: Option<u64>,
    piece: BlockTree,
    /// What the current piece has room for.
    piece_room: u64,
    layer: Vec<Hash>,
}

impl FileHasher {
    pub fn new(size: u64) -> Self {
        let (piece, piece_room) = (BlockTree::new(), piece_bytes(size));
        Self { size, remaining: Some(size), piece, piece_room, layer: Vec::new() }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.remaining = self.remaining.and_then(|remaining| remaining.checked_sub(bytes.len() as u64));
        if self.remaining.is_none() {
            return; // The result is an error, whatever the bytes are.
        }
        while !bytes.is_empty() {
            let room = usize::try_from(self.piece_room).unwrap_or(usize::MAX);
            let (taken, rest) = bytes.split_at(bytes.len().min(room));
            self.piece.update(taken);
            self.piece_room -= taken.len() as u64;
            if self.piece_room == 0 {
                self.end_piece();
            }
            bytes = rest;
        }
    }

    /// The identity and its layer; an error when another number of bytes came than was told.
    pub fn finish(mut self) -> Result<(FileId, PieceLayer), WrongLength> {
        if self.remaining != Some(0) {
            return Err(WrongLength);
        }
        if (self.layer.len() as u64) < piece_count(self.size) {
            self.end_piece();
        }
        let root = match self.layer[..] {
            [] => Root::from_bytes(merkle::empty_root()),
            [only] => Root::from_bytes(only),
            ref layer => root_of_layer(self.size, layer),
        };
        let file = FileId { root, size: self.size };
        let hashes = if self.layer.len() > 1 { self.layer } else { Vec::new() };
        Ok((file, PieceLayer { file, hashes }))
    }

    fn end_piece(&mut self) {
        self.layer.push(self.piece.take_root(piece_height(self.size)));
        self.piece_room = piece_bytes(self.size);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the file had another length while it was read")]
pub struct WrongLength;

/// The tree's level at piece width: the hash of each piece, proven to belong to a [`FileId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceLayer {
    file: FileId,
    /// Empty for a file of one piece or none: the root says it all.
    hashes: Vec<Hash>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LayerError {
    #[error("the piece layer has another length than the size wants")]
    Length,
    #[error("the piece layer does not lead to the root")]
    Root,
}

impl PieceLayer {
    /// How many bytes the layer of this file has, before one is asked for: 32 a piece, none for a file of
    /// one piece or none; at most 512 KiB.
    pub fn byte_count(file: &FileId) -> u64 {
        match file.piece_count() {
            0 | 1 => 0,
            pieces => pieces * size_of::<Hash>() as u64,
        }
    }

    /// Checks a received layer (32 bytes a piece) against the identity. A file of one piece or none needs no
    /// bytes: its layer is the root itself.
    pub fn verify(file: &FileId, bytes: &[u8]) -> Result<Self, LayerError> {
        if bytes.len() as u64 != Self::byte_count(file) {
            return Err(LayerError::Length);
        }
        let (hashes, _) = bytes.as_chunks();
        let root = match file.piece_count() {
            0 => Root::from_bytes(merkle::empty_root()),
            1 => file.root,
            _ => root_of_layer(file.size, hashes),
        };
        if root == file.root {
            Ok(Self { file: *file, hashes: hashes.to_vec() })
        } else {
            Err(LayerError::Root)
        }
    }

    /// 32 bytes a piece; empty for a file of one piece or none.
    pub fn as_bytes(&self) -> &[u8] {
        self.hashes.as_flattened()
    }

    /// [`Self::as_bytes`], owned.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    pub fn file(&self) -> FileId {
        self.file
    }

    /// A hasher that tells whether bytes are the piece at `index`. There is no right piece beyond the last.
    pub fn piece_check(&self, index: u64) -> PieceCheck {
        let expected = match self.file.piece_count() {
            1 if index == 0 => Some(*self.file.root.as_bytes()),
            _ => usize::try_from(index).ok().and_then(|index| self.hashes.get(index).copied()),
        };
        let range = self.file.piece_range(index);
        PieceCheck {
            expected,
            tree: BlockTree::new(),
            height: piece_height(self.file.size),
            remaining: Some(range.end - range.start),
        }
    }
}

/// Checks one piece as its bytes arrive.
#[derive(Clone)]
pub struct PieceCheck {
    /// `None` where the file has no such piece.
    expected: Option<Hash>,
    tree: BlockTree,
    height: u32,
    /// Still to come; `None` once too much came.
    remaining: Option<u64>,
}

impl PieceCheck {
    pub fn update(&mut self, bytes: &[u8]) {
        self.remaining = self.remaining.and_then(|remaining| remaining.checked_sub(bytes.len() as u64));
        if self.remaining.is_some() {
            self.tree.update(bytes);
        }
    }

    /// Bytes still missing.
    pub fn remaining(&self) -> u64 {
        self.remaining.unwrap_or(0)
    }

    /// Whether exactly the right bytes came.
    pub fn finish(mut self) -> bool {
        self.remaining == Some(0) && self.expected == Some(self.tree.take_root(self.height))
    }
}

#[cfg(test)]
mod tests;
