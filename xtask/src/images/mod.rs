//! `cargo xtask images`: builds the images of `docker/Dockerfile` and plays `docker/compose.yaml` with them, where there
//! is neither a container engine nor an image registry.
//!
//! The base images are stand-ins that debootstrap makes, under the names that the Dockerfile and the trial use; crates
//! and compiler are those of this machine. buildah builds from the real Dockerfile. The trial's services then run from
//! the built root file systems, as an engine would run them: each as PID 1 in namespaces of its own, as its image's
//! user, with the command, environment, volumes, addresses and order of `docker/compose.yaml`.
//!
//! What is not shown: that an engine reads `compose.yaml` as this does, and that the real base images do as well as
//! their stand-ins.

mod compose;
mod container;
mod dockerfile;
mod image;
mod network;
mod stand_ins;
mod store;
mod trial;
mod volumes;

use std::{env, fs, process::Command};

use anyhow::{Result, bail};

use self::{compose::Compose, dockerfile::Dockerfile, store::Store};
use crate::{
    prerequisites,
    steps::{self, step},
    workspace::Workspace,
};

pub(crate) struct Options {
    /// Build the programs as they are shipped, which takes a while; without it, as tests have them.
    pub(crate) release: bool,
}

/// Tells a run of this command how far inside it is.
const STAGE: &str = "HEARSAY_XTASK_IMAGES";
/// In a mount namespace: nothing stays mounted, however this ends.
const MOUNTS: &str = "mounts";
/// In a network namespace as well.
const NETWORK: &str = "network";

pub(crate) fn run(options: &Options) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("building and running images needs root: run `sudo env PATH=\"$PATH\" cargo xtask images`");
    }
    let stage = env::var_os(STAGE);
    if stage.is_none() {
        step("prerequisites", "Debian has them all", prerequisites::install_for_images)?;
        return steps::run(&mut inside(&["--mount", "--propagation", "private"], MOUNTS)?);
    }
    let workspace = Workspace::read()?;
    let docker = workspace.root.join("docker");
    let compose = Compose::read(&docker.join("compose.yaml"))?;
    let store = Store::at(&workspace.target.join("images"));
    if stage.is_some_and(|stage| stage == NETWORK) {
        return trial::play(&compose, &docker, &store);
    }
    store.clear()?;
    let text = fs::read_to_string(docker.join("Dockerfile"))?;
    let outcome = prove(options, &workspace, &compose, &store, &Dockerfile::parse(&text));
    outcome.and(store.clear())
}

fn prove(
    options: &Options,
    workspace: &Workspace,
    compose: &Compose,
    store: &Store,
    dockerfile: &Dockerfile,
) -> Result<()> {
    step("stand-ins", "debootstrap needs a Debian mirror, the first time", || {
        stand_ins::make(store, dockerfile, compose)
    })?;
    step("crates", "the first time, they are downloaded", || {
        steps::run(&mut steps::cargo(["fetch", "--quiet", "--locked"]))
    })?;
    step("build", "what buildah says above is to be put right first", || {
        let profile = if options.release { "release" } else { "dev" };
        for (image, build) in compose.built() {
            store.build(workspace, image, build, profile)?;
        }
        Ok(())
    })?;
    step("trial", "the last words of the services are above", || {
        steps::run(&mut inside(&["--net"], NETWORK)?)
    })
}

/// This command once more, in namespaces of its own, and never for longer than this process.
fn inside(namespaces: &[&str], stage: &str) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]).args(namespaces);
    command.arg(env::current_exe()?).args(env::args_os().skip(1)).env(STAGE, stage);
    Ok(command)
}
