//! What Linux tells of this process and of the machine.

use std::{fs, path::Path};

use rustix::process::{Resource, getrlimit};

/// Files that are open, and how many may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenFiles {
    pub(super) open: u64,
    /// `None`: no limit.
    pub(super) limit: Option<u64>,
}

/// `None` where the system does not tell.
pub(super) fn open_files() -> Option<OpenFiles> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(OpenFiles { open, limit: getrlimit(Resource::Nofile).current })
}

/// The swap areas whose content reaches a disk unencrypted. `None` where the system does not tell.
pub(super) fn swap_areas() -> Option<Vec<String>> {
    let table = fs::read_to_string("/proc/swaps").ok()?;
    Some(names(&table).filter(|name| !is_in_memory(name) && !is_encrypted(name)).map(str::to_owned).collect())
}

/// The first line has titles.
fn names(table: &str) -> impl Iterator<Item = &str> {
    table.lines().skip(1).filter_map(|line| line.split_whitespace().next())
}

/// A zram device compresses what it is given, and keeps it in memory.
fn is_in_memory(name: &str) -> bool {
    name.starts_with("/dev/zram")
}

/// A device of dm-crypt says so.
fn is_encrypted(name: &str) -> bool {
    let Some(device) = name.strip_prefix("/dev/") else { return false };
    let uuid = fs::read_to_string(Path::new("/sys/block").join(device).join("dm/uuid"));
    uuid.is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
}

#[cfg(test)]
mod tests {
    use super::{is_in_memory, names, open_files};

    #[test]
    fn the_systems_words_are_understood() {
        let table = "Filename\t\t\tType\t\tSize\n/dev/zram0  partition\t8\n/swapfile   file\t9\n";
        assert_eq!(names(table).collect::<Vec<_>>(), ["/dev/zram0", "/swapfile"]);
        assert!(is_in_memory("/dev/zram0") && !is_in_memory("/swapfile"));
        let files = open_files().unwrap();
        assert!(files.open > 0 && files.limit.is_none_or(|limit| limit >= files.open), "{files:?}");
    }
}
