//! What the process asks of the operating system before it serves anyone, and what it uses.

use std::fs;

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

/// What this process uses of the machine. What can't be seen counts as 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: u64,
    pub(crate) open_files_max: u64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|value| {
            let kibibytes = value.trim().strip_suffix(" kB")?;
            kibibytes.parse::<u64>().ok()
        });
        Self {
            resident_bytes: resident.unwrap_or(0) * 1024,
            open_files_max: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        }
    }
}
