//! Roots and piece layers against those of libtorrent (`vectors/make_vectors.py` tells how they were made).

use protocol::root::{FileHasher, PieceLayer};

#[derive(serde::Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    size: u64,
    root: String,
    piece_layer: String,
}

/// As `pattern` in `make_vectors.py`.
fn pattern(size: u64) -> Vec<u8> {
    (0..size).map(|i| ((i * 31 + (i >> 8) * 7 + (i >> 16) * 3) & 0xFF) as u8).collect()
}

#[test]
fn roots_and_layers_are_those_of_libtorrent() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/pieces_root.json")).unwrap();
    assert!(vectors.vectors.len() >= 8);
    for vector in vectors.vectors {
        let mut hasher = FileHasher::new(vector.size);
        pattern(vector.size).chunks(10_007).for_each(|chunk| hasher.update(chunk));
        let (file, layer) = hasher.finish().unwrap();
        assert_eq!(file.root.to_string(), vector.root, "root of {} bytes", vector.size);
        assert_eq!(hex::encode(layer.as_bytes()), vector.piece_layer, "layer of {} bytes", vector.size);
        let received = hex::decode(vector.piece_layer).unwrap();
        assert_eq!(PieceLayer::verify(&file, &received), Ok(layer));
    }
}
