//! The state directory: an SQLite database that survives crashes.
