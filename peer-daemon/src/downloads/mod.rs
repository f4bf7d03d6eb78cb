//! Downloads: from a result to a file on the disk.

pub mod assemble;
