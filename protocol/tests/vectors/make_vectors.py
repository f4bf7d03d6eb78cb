#!/usr/bin/env python3
"""Makes pieces_root.json beside this file: pieces roots and piece layers as libtorrent computes them.

    apt-get install python3-libtorrent
    /usr/bin/python3 protocol/tests/vectors/make_vectors.py

libtorrent is an implementation of BEP 52 that shares nothing with ours. Its torrents are made with pieces of
1 MiB, as ours are for files of these sizes. The bytes at index i are those of `pattern`, which the test in
pieces_root.rs makes again.
"""

import json
import os
import tempfile

import libtorrent

KIB, MIB = 1 << 10, 1 << 20
SIZES = [1, 64, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 48 * KIB, 48 * KIB + 1, MIB - 1, MIB, MIB + 1,
         2 * MIB, 2 * MIB + 1, 3 * MIB, 4 * MIB + 16 * KIB]


def pattern(size):
    return bytes((i * 31 + (i >> 8) * 7 + (i >> 16) * 3) & 0xFF for i in range(size))


def vector(size):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        with open(path, "wb") as file:
            file.write(pattern(size))
        files = libtorrent.file_storage()
        libtorrent.add_files(files, path)
        torrent = libtorrent.create_torrent(files, MIB, flags=libtorrent.create_torrent.v2_only)
        libtorrent.set_piece_hashes(torrent, folder)
        made = torrent.generate()
    entry = made[b"info"][b"file tree"][b"file"][b""]
    assert entry[b"length"] == size and made[b"info"][b"piece length"] == MIB
    root = entry[b"pieces root"]
    layer = made.get(b"piece layers", {}).get(root, b"")
    return {"size": size, "root": root.hex(), "piece_layer": layer.hex()}


def main():
    vectors = {"made_by": "libtorrent " + libtorrent.__version__, "vectors": [vector(size) for size in SIZES]}
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pieces_root.json")
    with open(target, "w", encoding="utf-8") as file:
        json.dump(vectors, file, indent=2)
        file.write("\n")


main()
