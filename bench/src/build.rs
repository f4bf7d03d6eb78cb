//! What is measured is optimised. The workspace builds its own crates without optimisation, for they are built
//! often; so this program builds itself and the others once more, with the dependencies that are there, puts
//! them into a folder of their own and goes on as the program that it finds there.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

const PROGRAMS: [&str; 4] = ["coordinator", "hearsay-bench", "peer-daemon", "peerctl"];
/// As a release has them.
const SETTINGS: [&str; 4] =
    ["opt-level=3", "debug-assertions=false", "overflow-checks=false", "codegen-units=1"];
/// The folder below the target directory in which the measured programs are.
const FOLDER: &str = "bench";

/// Whether this is the program that measures, and not the one that builds it.
pub(crate) fn is_measured_build() -> bool {
    own_path().is_ok_and(|path| path.parent().is_some_and(|folder| folder.ends_with(FOLDER)))
}

/// Builds, and becomes the program that was built.
pub(crate) fn run_measured_build() -> Result<()> {
    let own = own_path()?;
    let built = own.parent().context("a program is in a folder")?;
    let target = built.parent().context("a profile's folder is in the target directory")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // As all of the workspace is built, so that the dependencies are those that are there.
    cargo.args(["build", "--locked", "--workspace", "--bins"]);
    for program in PROGRAMS {
        for setting in SETTINGS {
            cargo.args(["--config", &format!("profile.dev.package.{program}.{setting}")]);
        }
    }
    println!("Building what is measured: {}.", SETTINGS.join(", "));
    if !cargo.status().context("cargo can't be started")?.success() {
        bail!("what is to be measured does not build");
    }
    let folder = target.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for program in PROGRAMS {
        replace(&built.join(program), &folder.join(program))?;
    }
    // Comes back only when it fails.
    let error = Command::new(folder.join("hearsay-bench")).args(env::args_os().skip(1)).exec();
    Err(error).context("the program that was built does not start")
}

/// A file that is running can't be written to, but another one can take its name.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let partial = to.with_extension("part");
    fs::copy(from, &partial).with_context(|| format!("{} is not there", from.display()))?;
    Ok(fs::rename(partial, to)?)
}

fn own_path() -> Result<PathBuf> {
    env::current_exe().context("the path of this program")
}
