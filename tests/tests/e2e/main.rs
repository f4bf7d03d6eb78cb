//! The programs as their users meet them: real binaries, a real nginx, real files.
//!
//! One binary for all cases. Each starts what it needs on free ports and ends it by SIGTERM, asserting clean
//! exits and no stray files.

#![allow(clippy::unwrap_used, reason = "a test tells what went wrong by panicking")]

mod background;
mod bad_requests;
mod blocks;
mod changes;
mod churn;
mod conflict;
mod crashes;
mod dial_backs;
mod dialling;
mod disk;
mod doctor;
mod fairness;
mod faults;
mod first_bytes;
mod folders;
mod gui;
mod hostile_folders;
mod hostile_sockets;
mod hostile_sources;
mod limits;
mod looking_around;
mod memory;
mod message_key;
mod operations;
mod own_service;
mod pause;
mod proxies;
mod proxy_restarts;
mod queue;
mod restart;
mod routes;
mod search;
mod services;
mod setup;
mod shares;
mod shutdown;
mod silent_disk;
mod sources;
mod start_up;
/// As the tests of peerctl have it, who use more of it.
#[allow(dead_code)]
#[path = "../../../peerctl/tests/cli/terminal.rs"]
mod terminal;
mod transfer;
mod usernames;
mod versions;
mod watching;
mod whole_folders;
mod why;
