//! Images under the names that the Dockerfile and the trial begin with, made from Debian's packages: small, and as far
//! as our images go the same.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, bail};

use super::{
    compose::Compose,
    dockerfile::Dockerfile,
    store::{Store, remove},
};
use crate::steps;

/// Where the machine's own compiler and crates are mounted while an image is built.
pub(super) const TOOLCHAIN: &str = "/toolchain";
pub(super) const CRATES: &str = "/crates";

const RELEASE: &str = "bookworm";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// For a slow mirror.
const LIMIT: &str = "1800";

pub(super) fn make(store: &Store, dockerfile: &Dockerfile, compose: &Compose) -> Result<()> {
    let names = dockerfile.bases.iter().map(String::as_str).chain(compose.foreign());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (image, _) = name.split_once(':').unwrap_or((name, "latest"));
        match image {
            "debian" => store.import(&debian(store, "")?, name, &environment(&[("PATH", PATH)]))?,
            // The real one has its compiler and crates in other places; nothing in the Dockerfile names them but
            // for the cache of crates, which stays empty here.
            "rust" => {
                let path = format!("{TOOLCHAIN}/bin:{PATH}");
                let settings =
                    environment(&[("PATH", &path), ("CARGO_HOME", CRATES), ("CARGO_NET_OFFLINE", "true")]);
                store.import(&debian(store, "ca-certificates,gcc,libc6-dev")?, name, &settings)?;
            }
            "caddy" => caddy(store, name)?,
            _ => bail!("there is no stand-in for {name}"),
        }
    }
    Ok(())
}

/// The archive of a root file system with these packages beside the essential ones.
fn debian(store: &Store, packages: &str) -> Result<std::path::PathBuf> {
    let name = if packages.is_empty() { "essential".to_owned() } else { packages.replace(',', "+") };
    let archive = store.cache().join(format!("{RELEASE}-{name}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    let root = store.work().join("debootstrap");
    remove(&root)?;
    fs::create_dir_all(&root)?;
    let mut debootstrap = Command::new("timeout");
    debootstrap.args([LIMIT, "debootstrap", "--variant=minbase"]);
    if !packages.is_empty() {
        debootstrap.arg(format!("--include={packages}"));
    }
    steps::run(debootstrap.arg(RELEASE).arg(&root))?;
    let unfinished = archive.with_extension("unfinished");
    steps::run(
        Command::new("tar")
            .args([
                "--create",
                "--one-file-system",
                "--exclude=./dev/*",
                "--exclude=./var/cache/apt/archives/*.deb",
            ])
            .arg("--file")
            .arg(&unfinished)
            .arg("--directory")
            .arg(&root)
            .arg("."),
    )?;
    fs::rename(&unfinished, &archive)?;
    remove(&root)?;
    Ok(archive)
}

/// The machine's own Caddy, run as the real image runs it.
fn caddy(store: &Store, name: &str) -> Result<()> {
    let base = store.work().join("caddy");
    fs::create_dir_all(base.join("usr/bin"))?;
    steps::run(
        Command::new("tar")
            .arg("--extract")
            .arg("--file")
            .arg(debian(store, "")?)
            .arg("--directory")
            .arg(&base),
    )?;
    fs::copy(Path::new("/usr/bin/caddy"), base.join("usr/bin/caddy"))?;
    let mut settings =
        environment(&[("PATH", PATH), ("XDG_DATA_HOME", "/data"), ("XDG_CONFIG_HOME", "/config")]);
    let command = "caddy run --config /etc/caddy/Caddyfile --adapter caddyfile";
    settings.extend(["--cmd".to_owned(), command.to_owned()]);
    store.import(&base, name, &settings)?;
    remove(&base)
}

fn environment(variables: &[(&str, &str)]) -> Vec<String> {
    variables.iter().flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]).collect()
}
