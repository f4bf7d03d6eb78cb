//! The session at the coordinator: one client, one long-poll, reconnection with backoff.
