//! What cargo and git know of this repository.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::steps;

/// The part of `cargo metadata` that matters here.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency of any kind, for building and testing too.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

impl Workspace {
    pub(crate) fn read() -> Result<Self> {
        let output = output(&mut steps::cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
        serde_json::from_slice(&output).context("cargo metadata speaks another format than version 1")
    }

    /// The paths that git tracks, or would once added, as they are in the work tree.
    pub(crate) fn tracked_files(&self) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let listed =
            output(&mut git).context("tidy looks at what git tracks: run it in a clone of the repository")?;
        let listed = String::from_utf8(listed).context("a file name in the repository is not UTF-8")?;
        let exists = |path: &&str| !path.is_empty() && self.root.join(path).exists();
        Ok(listed.split('\0').filter(exists).map(str::to_owned).collect())
    }
}

/// Where cargo keeps the toolchain that builds this.
pub(crate) fn sysroot() -> Result<PathBuf> {
    let output = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(String::from_utf8_lossy(&output).trim()).to_owned())
}

/// What a program says, if it ends well; what it complains about, if not.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} can't be started"))?;
    if !output.status.success() {
        bail!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
