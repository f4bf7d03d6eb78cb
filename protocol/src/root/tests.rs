#![allow(clippy::cast_possible_truncation, reason = "the files of these tests have a few MiB")]

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{BLOCK_BYTES, FileHasher, FileId, LayerError, PIECE_BYTES_MIN, PieceLayer, Root, piece_bytes};
use crate::{limits::FILE_SIZE_MAX, merkle::Hash};

const BLOCK: usize = BLOCK_BYTES as usize;
const PIECE: usize = PIECE_BYTES_MIN as usize;

/// The definition, as BEP 52 words it: leaves, padded with zeros to a power of two, folded in pairs.
fn model_root(bytes: &[u8], leaves_min: usize) -> Hash {
    if bytes.is_empty() {
        return Sha256::digest([]).into();
    }
    let mut level: Vec<Hash> = bytes.chunks(BLOCK).map(|block| Sha256::digest(block).into()).collect();
    level.resize(level.len().max(leaves_min).next_power_of_two(), [0; 32]);
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| Sha256::digest(pair.concat()).into()).collect();
    }
    level[0]
}

fn model_layer(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() <= PIECE {
        return Vec::new();
    }
    bytes.chunks(PIECE).flat_map(|piece| model_root(piece, PIECE / BLOCK)).collect()
}

fn content(size: usize) -> Vec<u8> {
    (0..size as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn hash(bytes: &[u8]) -> (FileId, PieceLayer) {
    let mut hasher = FileHasher::new(bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish().unwrap()
}

fn is_piece(layer: &PieceLayer, index: u64, bytes: &[u8]) -> bool {
    let mut check = layer.piece_check(index);
    check.update(bytes);
    check.finish()
}

/// Sizes around the edges of blocks and pieces.
fn sizes() -> impl Strategy<Value = usize> {
    let around = |unit: usize, count: usize| {
        (0..=count, 0..3usize).prop_map(move |(units, past)| (units * unit + past).saturating_sub(1))
    };
    prop_oneof![around(BLOCK, 9), around(PIECE, 4), 0..3 * PIECE]
}

#[test]
fn a_file_without_a_byte_and_one_of_a_block_are_plain_sha_256() {
    let (empty, layer) = hash(b"");
    assert_eq!(empty.root.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!((empty.piece_count(), layer.as_bytes()), (0, &[][..]));
    assert!(!is_piece(&layer, 0, b""), "an empty file has no piece");
    let nothing = FileId { root: Root::from_bytes([0; 32]), size: 1 };
    let layer = PieceLayer::verify(&nothing, &[]).unwrap();
    assert!(!is_piece(&layer, 1, b""), "nor has a file of one piece a second one");
    let wrong = FileId { root: Root::from_bytes([7; 32]), size: 0 };
    assert_eq!(PieceLayer::verify(&wrong, &[]), Err(LayerError::Root));

    let (block, layer) = hash(&content(BLOCK));
    assert_eq!(block.root.as_bytes()[..], Sha256::digest(content(BLOCK))[..]);
    assert!(is_piece(&layer, 0, &content(BLOCK)));
}

#[test]
fn the_piece_length_doubles_when_pieces_would_be_too_many() {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    for (size, expected) in [
        (0, MIB),
        (1, MIB),
        (16 * GIB - 1, MIB),
        (16 * GIB, MIB),
        (16 * GIB + 1, 2 * MIB),
        (32 * GIB, 2 * MIB),
        (32 * GIB + 1, 4 * MIB),
        (FILE_SIZE_MAX, 1 << 39),
        (u64::MAX, 1 << 50),
    ] {
        assert_eq!(piece_bytes(size), expected, "{size}");
    }
    let file = FileId { root: Root::from_bytes([0; 32]), size: 16 * GIB + 1 };
    assert_eq!(file.piece_count(), 8_193);
    assert_eq!(file.piece_range(8_192), 16 * GIB..16 * GIB + 1);
    for beyond in [8_193, 1 << 43, u64::MAX] {
        assert!(file.piece_range(beyond).is_empty(), "{beyond}");
    }
    // Such a file's first pieces, as they are hashed.
    let (mut hasher, bytes) = (FileHasher::new(file.size), content(5 * PIECE));
    hasher.update(&bytes);
    let pieces = bytes.chunks_exact(2 * PIECE).map(|piece| model_root(piece, 2 * PIECE / BLOCK));
    assert!(pieces.eq(hasher.layer));
}

#[test]
fn a_ghost_of_64_bytes_is_refused_for_its_size() {
    for blocks in [2, 128] {
        let bytes = content(blocks * BLOCK);
        let (file, layer) = hash(&bytes);
        let (left, right) = bytes.split_at(bytes.len() / 2);
        let ghost = [model_root(left, 1), model_root(right, 1)].concat();
        let (ghost_file, ghost_layer) = hash(&ghost);

        assert_eq!(ghost_file.root, file.root, "the ghost has the root of the file");
        assert_ne!(ghost_file, file, "but it is another file");
        assert!(is_piece(&layer, 0, &bytes[..bytes.len().min(PIECE)]));
        for index in 0..file.piece_count() {
            assert!(!is_piece(&layer, index, &ghost));
        }
        assert!(is_piece(&ghost_layer, 0, &ghost), "the check holds the ghost for itself");
        assert!(!is_piece(&ghost_layer, 0, &bytes[..bytes.len().min(PIECE)]));
        if blocks == 128 {
            assert_eq!(PieceLayer::verify(&file, ghost_layer.as_bytes()), Err(LayerError::Length));
            assert_eq!(PieceLayer::verify(&ghost_file, layer.as_bytes()), Err(LayerError::Length));
        }
    }
}

#[test]
fn a_ghost_of_a_piece_is_refused_for_its_size() {
    let bytes = content(2 * PIECE + 5);
    let (_, layer) = hash(&bytes);
    let (left, right) = bytes[PIECE..2 * PIECE].split_at(PIECE / 2);
    assert!(is_piece(&layer, 1, &bytes[PIECE..2 * PIECE]));
    assert!(!is_piece(&layer, 1, &[model_root(left, 1), model_root(right, 1)].concat()));
}

#[test]
fn a_length_other_than_told_is_an_error() {
    for (told, came) in [(10, 9), (10, 11), (0, 1), (1, 0), (PIECE, PIECE + 1), (PIECE + 1, PIECE)] {
        let bytes = content(came);
        let mut hasher = FileHasher::new(told as u64);
        // Too much stays too much, also when more comes.
        bytes.chunks(7_000).for_each(|chunk| hasher.update(chunk));
        assert!(hasher.finish().is_err(), "{came} bytes for {told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunking_gives_the_root_and_layer_of_the_model(
        size in sizes(),
        chunks in proptest::collection::vec(prop_oneof![1..200_000usize, BLOCK - 1..BLOCK + 2], 1..20),
    ) {
        let bytes = content(size);
        let mut hasher = FileHasher::new(size as u64);
        let (mut rest, mut lengths) = (&bytes[..], chunks.iter().cycle());
        while let (false, Some(&length)) = (rest.is_empty(), lengths.next()) {
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            hasher.update(chunk);
            rest = after;
        }
        let (file, layer) = hasher.finish().unwrap();
        prop_assert_eq!(file, FileId { root: Root::from_bytes(model_root(&bytes, 1)), size: size as u64 });
        prop_assert_eq!(layer.to_bytes(), model_layer(&bytes));
        prop_assert_eq!(PieceLayer::byte_count(&file), layer.to_bytes().len() as u64);
        prop_assert_eq!(PieceLayer::verify(&file, layer.as_bytes()), Ok(layer));
    }

    #[test]
    fn pieces_cover_the_file_and_each_checks_as_itself_only(size in sizes(), chunk in 1..100_000usize) {
        let bytes = content(size);
        let (file, layer) = hash(&bytes);
        let mut end = 0;
        for index in 0..file.piece_count() {
            let range = file.piece_range(index);
            prop_assert_eq!(range.start, end);
            end = range.end;
            let piece = &bytes[range.start as usize..range.end as usize];
            let mut check = layer.piece_check(index);
            prop_assert_eq!(check.remaining(), piece.len() as u64);
            piece.chunks(chunk).for_each(|chunk| check.update(chunk));
            prop_assert_eq!(check.remaining(), 0);
            let mut longer = check.clone();
            longer.update(&[0]);
            prop_assert_eq!(longer.remaining(), 0);
            prop_assert_eq!((check.finish(), longer.finish()), (true, false));
            prop_assert!(!is_piece(&layer, index, &piece[..piece.len() - 1]));
            prop_assert!(!is_piece(&layer, index, &[piece, &[0]].concat()));
            prop_assert!(!is_piece(&layer, index + 1, piece));
        }
        prop_assert_eq!(end, size as u64);
        prop_assert!(file.piece_range(file.piece_count()).is_empty());
    }

    #[test]
    fn a_flipped_bit_is_noticed(size in sizes(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        prop_assume!(size > 0);
        let mut bytes = content(size);
        let (file, layer) = hash(&bytes);
        let at = at.index(size);
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(hash(&bytes).0.root, file.root);
        let index = at as u64 / file.piece_bytes();
        let range = file.piece_range(index);
        prop_assert!(!is_piece(&layer, index, &bytes[range.start as usize..range.end as usize]));
    }

    #[test]
    fn a_layer_with_an_altered_byte_or_length_is_refused(
        pieces in 2..5usize, past in 1..PIECE, at in any::<prop::sample::Index>(), bit in 0..8u32,
    ) {
        let (file, layer) = hash(&content((pieces - 1) * PIECE + past));
        let good = layer.to_bytes();
        let mut altered = good.clone();
        altered[at.index(good.len())] ^= 1 << bit;
        prop_assert_eq!(PieceLayer::verify(&file, &altered), Err(LayerError::Root));
        for length in [0, 1, good.len() - 32, good.len() - 1] {
            prop_assert_eq!(PieceLayer::verify(&file, &good[..length]), Err(LayerError::Length));
        }
        // Padding that the tree has anyway must not pass for a piece.
        let longer = [&good[..], &[0; 32]].concat();
        prop_assert_eq!(PieceLayer::verify(&file, &longer), Err(LayerError::Length));
    }
}
