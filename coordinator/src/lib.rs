//! The coordinator: it introduces peers to each other and remembers nothing.
//!
//! From the outside in: [`server`] binds and drains; `routes` is the API as a table; `handlers` check and
//! answer; `exchange` is the seam behind which sessions and events live; `domain` decides, without clock,
//! randomness or I/O. `seal` is why no readable list of users exists: names are kept as keyed hashes, and each
//! peer carries its own name, sealed. `client_address` is why nobody can be named as someone else's address.

mod app;
mod body;
mod bypass;
mod caller;
mod calls;
pub mod cli;
mod client_address;
mod clock;
pub mod config;
mod connection;
mod domain;
mod ending;
mod error;
mod exchange;
mod handlers;
mod head;
pub mod health;
mod http;
pub mod inherited;
mod metrics;
mod ops;
mod pace;
pub mod process;
pub mod program;
mod rate_limit;
#[cfg(test)]
mod reference;
pub mod reload;
#[cfg(test)]
mod retention;
pub mod routes;
mod rules;
mod seal;
pub mod server;
mod service;
pub mod signals;
mod stack;
pub mod telemetry;
