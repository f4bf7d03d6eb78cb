//! The peer stream by itself: both roles, over loopback TCP and over a pipe in memory, honest and not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod first_bytes;
mod harness;
mod hostile_requester;
mod hostile_target;
mod transfer;
