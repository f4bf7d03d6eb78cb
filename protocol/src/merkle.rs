//! The binary SHA-256 tree over a file's blocks (BEP 52), built in one pass.
//!
//! Leaves arrive in order, and of what lies behind them only the roots of finished subtrees are kept, one a
//! level: n leaves cost log2(n) hashes of memory. The same [`Levels`] builds a piece from its blocks and a
//! file from its pieces; only the padding differs.

use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

/// What a leaf covers.
pub(crate) const BLOCK_BYTES: usize = 16 * 1024;
/// What stands for a leaf beyond the end of the file.
pub(crate) const ZERO_LEAF: Hash = [0; 32];
/// Levels of the highest tree built here: the largest piece of a file of `u64` bytes has 2^36 blocks.
pub(crate) const LEVELS_MAX: usize = 37;

/// The hash of a file without a byte: it has no leaf. (Our own rule, BEP 52 has none.)
pub(crate) fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

fn parent(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Levels between `leaves` leaves and their root, once padded to a power of two.
pub(crate) fn height(leaves: u64) -> u32 {
    leaves.next_power_of_two().ilog2()
}

/// The root of a subtree of this height in which every leaf is `leaf`.
pub(crate) fn uniform_root(leaf: Hash, height: u32) -> Hash {
    (0..height).fold(leaf, |hash, _| parent(&hash, &hash))
}

/// A tree as it grows from the left: a binary counter whose digit at level i, where it is one, is the root of
/// a finished subtree of 2^i leaves.
#[derive(Clone)]
pub(crate) struct Levels {
    finished: [Hash; LEVELS_MAX],
    count: u64,
}

impl Levels {
    pub(crate) fn new() -> Self {
        Self { finished: [ZERO_LEAF; LEVELS_MAX], count: 0 }
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        // Adding one carries through the trailing ones: each carry joins two subtrees of one height.
        let carries = self.count.trailing_ones() as usize;
        let joined = self.finished[..carries].iter().fold(leaf, |right, left| parent(left, &right));
        self.finished[carries] = joined;
        self.count += 1;
    }

    /// The root at `height`, the missing leaves being `padding`, and an empty tree again. `height` is at
    /// least that of the leaves pushed.
    pub(crate) fn take_root(&mut self, height: u32, padding: Hash) -> Hash {
        let count = std::mem::take(&mut self.count);
        debug_assert!(count <= 1 << height, "the leaves fit under the root");
        if count == 1 << height {
            return self.finished[height as usize];
        }
        // Upwards along the edge between leaves and padding: `edge` is the root of the subtree at this level
        // that holds the first missing leaf, `padding` that of a subtree without a leaf of the file.
        let (mut edge, mut padding) = (padding, padding);
        for level in 0..height {
            edge = if count >> level & 1 == 1 {
                parent(&self.finished[level as usize], &edge)
            } else {
                parent(&edge, &padding)
            };
            padding = parent(&padding, &padding);
        }
        edge
    }
}

/// Cuts a stream of bytes into blocks and grows the tree over them.
#[derive(Clone)]
pub(crate) struct BlockTree {
    levels: Levels,
    block: Sha256,
    block_filled: usize,
}

impl BlockTree {
    pub(crate) fn new() -> Self {
        Self { levels: Levels::new(), block: Sha256::new(), block_filled: 0 }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block_filled));
            self.block.update(taken);
            self.block_filled += taken.len();
            if self.block_filled == BLOCK_BYTES {
                self.end_block();
            }
            bytes = rest;
        }
    }

    /// The root at `height` over what came, padded with zero leaves, and an empty tree again.
    pub(crate) fn take_root(&mut self, height: u32) -> Hash {
        if self.block_filled > 0 {
            self.end_block();
        }
        self.levels.take_root(height, ZERO_LEAF)
    }

    fn end_block(&mut self) {
        self.levels.push(self.block.finalize_reset().into());
        self.block_filled = 0;
    }
}
