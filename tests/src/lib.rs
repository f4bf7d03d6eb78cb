//! The harness of the end-to-end tests: starts the real programs, a real nginx in front of the coordinator,
//! and peers played by hand where a real one would be too polite.
//!
//! Nothing here builds a program and nothing here waits without a condition: whatever is waited for is
//! looked at until it is so, or until a deadline at which the test fails and shows what the programs said.
//!
//! The peer played by hand ([`scripted`]) is written from the protocol's description, not with the daemon's
//! own modules: a second implementation, so that a mistake in the first is not repeated in its test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness tells what went wrong by panicking")]

pub mod api_client;
pub mod binaries;
pub mod black_hole;
pub mod browser;
pub mod clock;
pub mod content;
pub mod coordinator;
pub mod disk;
pub mod far_link;
pub mod faulty_link;
pub mod file_server;
pub mod hanging_disk;
mod link;
pub mod memory;
pub mod misuse;
pub mod namespace;
pub mod notify;
pub mod pair;
pub mod peer;
pub mod peerctl;
pub mod process;
pub mod proxy;
pub mod scene;
pub mod scripted;
pub mod session;
pub mod slow_link;
pub mod steering;
pub mod wait;
