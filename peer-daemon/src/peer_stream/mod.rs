//! The stream between two peers: TLS with flipped roles and HTTP range requests, over any byte stream.
//!
//! ```text
//!  requester (TLS client, HTTP client)                 target (TLS server, HTTP server)
//!  listen ── ConnectionGate ◀──────── TCP ──────────── dial ── DialRules, DialBudget
//!  client::Requester ─────────── TLS, HTTP/1.1 ──────▶ server::serve ── Shelf
//! ```
//!
//! Roles never change, only who dials TCP does. The parts from `tls` up take any `AsyncRead + AsyncWrite`, so
//! that further ways to reach a peer bring a byte stream and nothing else.

pub mod client;
pub mod dial;
pub mod dial_rules;
pub mod listen;
pub mod server;
pub mod shelf;
pub mod tls;
