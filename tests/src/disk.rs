//! A small disk: a file system of a few MiB that is mounted for one test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

const BALLAST: &str = "ballast";

/// A folder on which a tmpfs is mounted, with a folder for downloads on it. There is one below the mount point,
/// too: it is what a daemon would find, and fill, while the disk is away.
pub struct SmallDisk {
    mount_point: TempDir,
    is_mounted: bool,
}

impl SmallDisk {
    /// Panics where whoever runs the tests may not mount: a case that did nothing is not to look like one that passed.
    pub fn mount(mebibytes: u32) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        assert!(is_root, "only root may mount a disk: run this case as root, or leave it out");
        let mount_point = TempDir::with_prefix("hearsay-disk-").expect("a temporary folder");
        let mut disk = Self { mount_point, is_mounted: false };
        fs::create_dir(disk.downloads()).expect("a folder below the mount point");
        disk.mount_again(mebibytes);
        disk
    }

    pub fn mount_again(&mut self, mebibytes: u32) {
        self.run("mount", &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "hearsay-test"]);
        self.is_mounted = true;
        fs::create_dir(self.downloads()).expect("a folder on the disk");
    }

    /// At once, even while a daemon has files open on it.
    pub fn unmount(&mut self) {
        self.run("umount", &["--lazy"]);
        self.is_mounted = false;
    }

    pub fn resize(&self, mebibytes: u32) {
        self.run("mount", &["-o", &format!("remount,size={mebibytes}m")]);
    }

    pub fn downloads(&self) -> PathBuf {
        self.mount_point.path().join("downloads")
    }

    /// Writes until not a byte is free.
    pub fn fill(&self) {
        let path = self.mount_point.path().join(BALLAST);
        let mut file = fs::File::create(path).expect("a file on the disk");
        let block = vec![1; 64 * 1024];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }

    /// Takes away what [`Self::fill`] has written.
    pub fn make_room(&self) {
        fs::remove_file(self.mount_point.path().join(BALLAST)).expect("the disk was filled");
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let path: &Path = self.mount_point.path();
        let ran = Command::new(program).args(arguments).arg(path).status().expect("mount is installed");
        assert!(ran.success(), "{program} {arguments:?} {}: {ran}", path.display());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("--lazy").arg(self.mount_point.path()).status();
        }
    }
}
