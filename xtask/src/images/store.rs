//! buildah, with all that it keeps in one folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::{compose::Build, image::Image, stand_ins::CRATES, stand_ins::TOOLCHAIN};
use crate::{
    steps,
    workspace::{self, Workspace, output},
};

/// For a build of everything on a small machine that does other things as well.
const BUILD_LIMIT: &str = "5400";
/// For any other call.
const CALL_LIMIT: &str = "300";

pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// What survives [`Store::clear`]: what was downloaded and compiled.
    pub(super) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// Where the trial keeps volumes.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// Removes images, containers and volumes, also those of a run that was killed.
    pub(super) fn clear(&self) -> Result<()> {
        fs::create_dir_all(self.cache())?;
        // What is mounted below is so in this namespace only. Were something there after all, it would not be followed.
        for mount in mounted_below(&self.folder)? {
            output(Command::new("umount").arg("--lazy").arg(mount))?;
        }
        for kept in ["storage", "run", "work"] {
            remove(&self.folder.join(kept))?;
        }
        Ok(())
    }

    /// Makes an image of a root file system.
    pub(super) fn import(&self, root: &Path, name: &str, settings: &[String]) -> Result<()> {
        let container = self.tell(&["from", "scratch"])?;
        steps::run(self.buildah(CALL_LIMIT).args(["add", "--quiet", &container]).arg(root).arg("/"))?;
        if !settings.is_empty() {
            steps::run(self.buildah(CALL_LIMIT).arg("config").args(settings).arg(&container))?;
        }
        steps::run(self.buildah(CALL_LIMIT).args(["commit", "--quiet", "--rm", &container, name]))
    }

    /// Builds as `docker build` does. What is compiled is kept in the build's own cache mount, which buildah keeps
    /// where it has its temporary files.
    pub(super) fn build(
        &self,
        workspace: &Workspace,
        image: &str,
        build: &Build,
        profile: &str,
    ) -> Result<()> {
        let context = workspace.root.join("docker").join(&build.context);
        let mounted = |from: &Path, to: &str| format!("{}:{to}:ro", from.display());
        let crates = cargo_home()?.join("registry");
        let mut buildah = self.buildah(BUILD_LIMIT);
        buildah.args(["bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--layers"]);
        buildah.args(["--volume", &mounted(&workspace::sysroot()?, TOOLCHAIN)]);
        buildah.args(["--volume", &mounted(&crates, &format!("{CRATES}/registry"))]);
        buildah.args([
            "--build-arg",
            &format!("PROFILE={profile}"),
            "--target",
            &build.target,
            "--tag",
            image,
        ]);
        buildah.arg("--file").arg(context.join(&build.dockerfile)).arg(&context);
        steps::run(&mut buildah)
    }

    pub(super) fn image(&self, name: &str) -> Result<Image> {
        let inspected = output(self.buildah(CALL_LIMIT).args(["inspect", "--type", "image", name]))?;
        Image::parse(&inspected)
    }

    /// A container's root file system, mounted.
    pub(super) fn container(&self, image: &str) -> Result<PathBuf> {
        let container = self.tell(&["from", "--pull-never", image])?;
        Ok(PathBuf::from(self.tell(&["mount", &container])?))
    }

    /// What buildah answers.
    fn tell(&self, arguments: &[&str]) -> Result<String> {
        let answer = output(self.buildah(CALL_LIMIT).args(arguments))?;
        Ok(String::from_utf8(answer)?.trim().to_owned())
    }

    fn buildah(&self, limit: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "TERM",
            "timeout",
            "--kill-after=10",
            limit,
            "buildah",
            "--storage-driver",
            "overlay",
        ]);
        command.arg("--root").arg(self.folder.join("storage")).arg("--runroot").arg(self.folder.join("run"));
        command.env("TMPDIR", self.cache());
        command
    }
}

/// The last mounted first.
fn mounted_below(folder: &Path) -> Result<impl Iterator<Item = PathBuf> + use<>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    let below: Vec<_> = places.filter(|place| place.starts_with(folder)).collect();
    Ok(below.into_iter().rev())
}

/// As `rm` does it, which stays on one file system.
pub(super) fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let removed =
        Command::new("rm").args(["--recursive", "--force", "--one-file-system"]).arg(folder).status()?;
    ensure!(removed.success(), "{} can't be removed", folder.display());
    Ok(())
}

fn cargo_home() -> Result<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).context("neither CARGO_HOME nor HOME is set")
}
