//! The shared files: found, hashed, named, opened again unchanged.
