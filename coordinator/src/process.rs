//! What the process asks of the operating system before it serves anyone.

use rustix::{
    io,
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};

/// Turns core dumps off, and with them reading this process's memory as another process of the same user: what
/// is in memory for a moment must not end up on a disk.
pub fn forbid_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// Raises the soft limit on open files to the hard one, for each peer holds a connection; tells the limit, or
/// `None` when there is none.
pub fn raise_open_files() -> io::Result<Option<u64>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}
