//! Folders with files to share, and digests to compare what came.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    path::Path,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Files are made and read in steps of this size.
const STEP: usize = 1 << 20;

/// A folder that is removed with the value.
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::with_prefix("hearsay-").expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// With a file of these contents, and the folders that its name leads through.
    #[must_use]
    pub fn with(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(self.path())).expect("a folder to share");
        fs::write(path, contents).expect("a file to share");
        self
    }

    /// With a file of `size` bytes that `seed` determines.
    #[must_use]
    pub fn with_random(self, name: &str, size: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut file = BufWriter::new(File::create(self.path().join(name)).expect("a file to share"));
        let mut step = vec![0; STEP];
        let mut missing = size;
        while missing > 0 {
            let part = &mut step[..missing.min(STEP)];
            random.fill(part);
            file.write_all(part).expect("room for a file to share");
            missing -= part.len();
        }
        file.flush().expect("room for a file to share");
        self
    }

    /// The contents of a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).expect("a readable file")
    }

    pub fn digest(&self, name: &str) -> String {
        digest(&self.path().join(name))
    }
}

/// SHA-256 of a file, in hexadecimal.
pub fn digest(path: &Path) -> String {
    let mut file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut hasher = Sha256::new();
    let mut step = vec![0; STEP];
    loop {
        match file.read(&mut step).expect("a readable file") {
            0 => return hex::encode(hasher.finalize()),
            read => hasher.update(&step[..read]),
        }
    }
}

/// The paths of all files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<String> {
    let paths = names_in(folder).into_iter().flat_map(|name| {
        let path = folder.join(&name);
        if path.is_dir() {
            files_below(&path).into_iter().map(|below| format!("{name}/{below}")).collect()
        } else {
            vec![name]
        }
    });
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    paths
}

/// The names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
