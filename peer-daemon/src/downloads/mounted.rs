//! For tests: file systems of their own, which may be small, read-only, or go away.

use std::{cell::Cell, process::Command};

/// A file system that is mounted for one test.
pub(super) struct Mounted(pub(super) tempfile::TempDir, Cell<bool>);

impl Mounted {
    /// `None` where this user may not mount, which is said.
    #[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
    pub(super) fn tmpfs(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "hearsay-test"]).arg(folder.path());
        let is_mounted =
            rustix::process::geteuid().is_root() && mount.status().is_ok_and(|done| done.success());
        if !is_mounted {
            eprintln!("SKIPPED: mounting is not permitted here");
            return None;
        }
        Some(Self(folder, Cell::new(true)))
    }

    pub(super) fn unmount(&self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        self.1.set(!unmounted.is_ok_and(|done| done.success()));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.1.get() {
            self.unmount();
        }
        assert!(!self.1.get() || std::thread::panicking(), "{} stays mounted", self.0.path().display());
    }
}
