//! The daemon: shares a library of files, searches for others' and fetches them.

pub mod clock;
pub mod coordinator_link;
pub mod downloads;
pub mod introductions;
pub mod library;
pub mod peer_stream;
pub mod searches;
pub mod state;
