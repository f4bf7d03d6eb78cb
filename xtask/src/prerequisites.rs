//! Programs that tests start and that cargo does not bring. On Debian as root they are installed; elsewhere
//! the person is told what is missing and how to get it.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::steps;

struct Prerequisite {
    program: &'static str,
    /// In Debian.
    package: &'static str,
    reason: &'static str,
}

const NEEDED: &[Prerequisite] = &[
    Prerequisite {
        program: "nginx",
        package: "nginx",
        reason: "the end-to-end tests put the shipped nginx.conf before the coordinator",
    },
    Prerequisite {
        program: "ip",
        package: "iproute2",
        reason: "the end-to-end tests give addresses to networks of their own",
    },
    Prerequisite {
        program: "caddy",
        package: "caddy",
        reason: "the end-to-end tests put the shipped Caddyfile before the coordinator",
    },
    Prerequisite {
        program: "haproxy",
        package: "haproxy",
        reason: "the end-to-end tests put the shipped haproxy.cfg before the coordinator",
    },
    Prerequisite {
        program: "chromium",
        package: "chromium",
        reason: "the end-to-end tests use the web page as a person does",
    },
    Prerequisite {
        program: "chromedriver",
        package: "chromium-driver",
        reason: "it steers the browser of the end-to-end tests",
    },
    Prerequisite {
        program: "bindfs",
        package: "bindfs",
        reason: "the end-to-end tests stop it: a disk that does not answer",
    },
    Prerequisite {
        program: "systemd-socket-activate",
        package: "systemd",
        reason: "the end-to-end tests hand sockets to the programs as systemd does, and look at the units",
    },
];

/// What [`crate::images`] needs.
const FOR_IMAGES: &[Prerequisite] = &[
    Prerequisite { program: "buildah", package: "buildah", reason: "it builds images without an engine" },
    Prerequisite {
        program: "debootstrap",
        package: "debootstrap",
        reason: "it makes the images that ours begin with, without a registry",
    },
    Prerequisite { program: "ip", package: "iproute2", reason: "each container has a network of its own" },
    Prerequisite { program: "caddy", package: "caddy", reason: "it is the trial's reverse proxy" },
];

/// Debian asks this before it starts a service that it has just installed; 101 means no.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";

pub(crate) fn install() -> Result<()> {
    install_all(NEEDED)
}

pub(crate) fn install_for_images() -> Result<()> {
    install_all(FOR_IMAGES)
}

fn install_all(needed: &[Prerequisite]) -> Result<()> {
    let missing: Vec<_> = needed.iter().filter(|needed| !is_there(needed.program)).collect();
    if missing.is_empty() {
        println!("   all there");
        return Ok(());
    }
    for needed in &missing {
        println!("   {} is missing: {}", needed.program, needed.reason);
    }
    let packages: Vec<_> = missing.iter().map(|needed| needed.package).collect();
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !is_there("apt-get") {
        bail!("install {} with the package manager of this system", packages.join(", "));
    }
    if !rustix::process::geteuid().is_root() {
        bail!("run `sudo {by_hand}`, then this again");
    }
    let _no_services = NoServices::declare()?;
    steps::run(apt().arg("update"))?;
    steps::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(&packages))?;
    match missing.iter().find(|needed| !is_there(needed.program)) {
        None => Ok(()),
        Some(needed) => bail!("{} is still missing after `{by_hand}`", needed.program),
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    command
}

/// Looks where a shell looks, and where Debian keeps servers.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).any(|file| {
        fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// While this lives, packages start no services: nobody asked for a web server on this machine.
struct NoServices {
    /// A policy that was there before is left alone.
    is_ours: bool,
}

impl NoServices {
    fn declare() -> Result<Self> {
        let is_ours = !Path::new(SERVICE_POLICY).exists();
        if is_ours {
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o755)
                .open(SERVICE_POLICY)
                .with_context(|| format!("{SERVICE_POLICY} can't be written"))?;
            std::io::Write::write_all(&mut file, NO_SERVICES.as_bytes())?;
        }
        Ok(Self { is_ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours && fs::remove_file(SERVICE_POLICY).is_err() {
            println!("   {SERVICE_POLICY} is left over: remove it");
        }
    }
}
