//! A disk that stops answering on command: a folder as bindfs shows it, from user space, and bindfs can be stopped. What
//! reads there waits then, as it would on a network mount whose server has gone.

use std::{
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::{PATIENCE, until};

pub struct HangingDisk {
    mount_point: TempDir,
    bindfs: Child,
}

impl HangingDisk {
    /// Panics where whoever runs the tests may not mount: a case that did nothing is not to look like one that passed.
    pub async fn showing(folder: &Path) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        assert!(is_root, "only root may mount a disk: run this case as root, or leave it out");
        let mount_point = TempDir::with_prefix("hearsay-hanging-").expect("a temporary folder");
        let mut bindfs = Command::new("bindfs");
        let bindfs = bindfs.args(["-f", "-r"]).arg(folder).arg(mount_point.path());
        let disk = Self { bindfs: bindfs.spawn().expect("bindfs is installed"), mount_point };
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
        let above = device(&std::env::temp_dir());
        let is_mounted = async || device(disk.path()).filter(|device| Some(*device) != above);
        until("the folder is mounted", PATIENCE, is_mounted).await;
        disk
    }

    pub fn path(&self) -> &Path {
        self.mount_point.path()
    }

    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    pub fn answer(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.bindfs), signal).expect("bindfs runs");
    }
}

impl Drop for HangingDisk {
    fn drop(&mut self) {
        // Whatever still waits there has an answer then.
        let _ = self.bindfs.kill();
        let _ = self.bindfs.wait();
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
