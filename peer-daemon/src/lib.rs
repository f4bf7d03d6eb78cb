//! The daemon: shares a library of files, searches for others' and fetches them.

mod backoff;
mod blocks;
pub mod cli;
pub mod clock;
pub mod config;
mod control;
pub mod coordinator_link;
pub mod daemon;
pub mod data_dirs;
mod dialler;
mod doctor;
pub mod downloads;
mod gui;
pub mod inherited;
pub mod introductions;
pub mod library;
mod log_file;
mod name_tokens;
pub mod peer_stream;
pub mod program;
pub mod rehearsal;
pub mod searches;
mod service;
pub mod state;
pub mod telemetry;
mod transfer_rate;
mod uploads;
