//! The peer stream by itself: both roles, over loopback TCP and over a pipe in memory, honest and not.

mod first_bytes;
mod harness;
mod hostile_requester;
mod hostile_target;
mod transfer;
