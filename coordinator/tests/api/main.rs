//! The API from outside: a real server on a free port, real connections.

mod harness;

mod contract;
mod events;
mod introductions;
mod lifecycle;
mod refusals;
mod searches;
mod sessions;
