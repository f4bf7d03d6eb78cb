//! Caddy, with a certificate of the test's in place of one that it would get by itself.

use std::{path::Path, process::Command};

use rustix::process::Signal;

use super::{
    Scheme, Shipped, Site, Upstream,
    certificates::{CERTIFICATE, KEY},
};

pub(super) struct Caddy;

/// Before it has read its configuration, it logs as it does by default: which file it reads.
const ABOUT_ITSELF: [&str; 2] = ["using provided configuration", "caddyfile"];

impl Shipped for Caddy {
    fn name(&self) -> &'static str {
        "caddy"
    }

    fn configuration(&self) -> &'static str {
        include_str!("../../../docker/Caddyfile")
    }

    fn in_use(&self) -> &'static str {
        "address already in use"
    }

    fn command(&self, folder: &Path, configuration: &Path) -> Command {
        let mut command = Command::new("caddy");
        // What it keeps for itself stays in the folder.
        command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration);
        command
    }

    fn placed(&self, setting: &str, site: &Site) -> Option<String> {
        let (folder, port) = (site.folder.display(), site.listen.port());
        let upstream = match site.upstream {
            Upstream::Tcp(address) => address.to_string(),
            Upstream::Unix(path) => format!("unix/{}", path.display()),
        };
        let block = match site.scheme {
            Scheme::Http => format!("http://localhost:{port} {{"),
            Scheme::Https => {
                format!("https://localhost:{port} {{\ntls {folder}/{CERTIFICATE} {folder}/{KEY}")
            }
        };
        Some(
            setting
                .replace("admin off", "admin off\nauto_https off")
                .replace("coordinator:4820", &upstream)
                .replace("hearsay.example.org {", &block),
        )
    }

    /// Nobody steers it while it runs.
    fn reload(&self) -> Option<Signal> {
        None
    }

    fn is_about_itself(&self, line: &str) -> bool {
        ABOUT_ITSELF.iter().any(|words| line.contains(words))
    }
}
