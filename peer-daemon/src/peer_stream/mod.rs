//! The stream between two peers: TLS with flipped roles and HTTP range requests, over any byte stream.
//!
//! ```text
//!  requester (TLS client, HTTP client)                 target (TLS server, HTTP server)
//!  listen ── gate ◀──────────────── TCP ────────────── dial ── dial_rules
//!  client ────────────────── TLS, HTTP/1.1 ──────────▶ server ── shelf
//! ```
//!
//! Roles never change, only who dials TCP does. The parts from `tls` up take any `AsyncRead + AsyncWrite`, so
//! that a further way to reach a peer brings a byte stream and nothing else.

pub mod client;
pub mod dial;
pub mod dial_rules;
mod file_bytes;
mod first_bytes;
pub mod gate;
pub mod haste;
pub mod limits;
pub mod listen;
pub mod offered;
pub(crate) mod pace;
mod preconditions;
pub mod progress;
mod responses;
pub mod server;
pub mod shelf;
mod stall_guard;
pub mod throttle;
pub mod tls;
mod token_bucket;
