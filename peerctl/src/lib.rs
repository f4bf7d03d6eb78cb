//! peerctl
