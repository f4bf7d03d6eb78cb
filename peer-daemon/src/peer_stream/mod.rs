//! The stream between two peers: TLS with flipped roles and HTTP range requests, over any byte stream.
