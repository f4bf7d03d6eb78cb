//! TLS between peers.
