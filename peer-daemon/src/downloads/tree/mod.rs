//! Whole folders: one download whose parts are files.
//!
//! ```text
//!  listing ─▶ contents ─▶ NAME.part/ ── small files whole, large ones piece by piece ──▶ NAME
//!                ▲             │                  │
//!                └── look ◀────┴── recorded ◀─────┘ in groups
//! ```
//!
//! What decides is pure: [`contents`] (which files, under which names) and [`account`] (which of them are there).
//! Nothing in `NAME.part` is touched that this download did not write, and no link in it is followed ([`disk`]).

pub(super) mod account;
mod close;
pub(super) mod contents;
mod disk;
mod fetch;
mod large;
mod listing;
mod look;
mod merge;
mod open;
mod recorder;
mod small;
pub(super) mod store;

pub(super) use self::{disk::PartTree, open::discard_tree};

#[cfg(test)]
mod tests;
