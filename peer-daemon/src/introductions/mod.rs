//! Identity and seals: the key pairs a peer is known by, and what is sealed to them.
//!
//! A requester seals its invitation to the target's reply key, so that the coordinator carries what it can't
//! read; both sides of the stream that follows pin the certificates named in seal and answer.

pub mod identity;
pub mod keeper;
pub mod policy;
pub mod seal;
pub(crate) mod tls_key;
