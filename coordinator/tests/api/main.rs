//! The API from outside: a real server on a free port, real connections.

// A test that can't go on panics.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Tests measure time, and the harness waits for the one task that it spawns.
#![allow(clippy::disallowed_methods)]

mod harness;
mod observed;

mod budgets;
mod connections;
mod contract;
mod events;
mod fields;
mod introductions;
mod lifecycle;
mod pace;
mod probing;
mod refusals;
mod reload;
mod searches;
mod sessions;
