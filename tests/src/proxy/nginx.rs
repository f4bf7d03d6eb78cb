//! nginx, with a folder of the test's own for all that it wants to have on the disk.

use std::{path::Path, process::Command};

use rustix::process::Signal;

use super::{Scheme, Shipped, Site, Upstream};

/// Debian's nginx is not in every user's `PATH`.
const PATHS: [&str; 4] =
    ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"];
pub(crate) const IN_USE: &str = "Address already in use";

pub(super) struct Nginx;

impl Shipped for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn configuration(&self) -> &'static str {
        include_str!("../../../docker/nginx.conf")
    }

    fn in_use(&self) -> &'static str {
        IN_USE
    }

    fn command(&self, folder: &Path, configuration: &Path) -> Command {
        command(folder, configuration)
    }

    fn placed(&self, setting: &str, site: &Site) -> Option<String> {
        let (folder, listen) = (site.folder.display().to_string(), site.listen);
        if setting.starts_with("ssl_") && site.scheme == Scheme::Http {
            return None;
        }
        let upstream = match site.upstream {
            Upstream::Tcp(address) => address.to_string(),
            Upstream::Unix(path) => format!("unix:{}", path.display()),
        };
        let listen = match site.scheme {
            Scheme::Http => listen.to_string(),
            Scheme::Https => format!("{listen} ssl"),
        };
        Some(
            setting
                .replace("/tmp/nginx", &folder)
                .replace("/etc/nginx/tls", &folder)
                .replace("coordinator:4820", &upstream)
                .replace("443 ssl", &listen),
        )
    }

    fn reload(&self) -> Option<Signal> {
        Some(Signal::HUP)
    }
}

pub(crate) fn command(folder: &Path, configuration: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("-p").arg(folder).arg("-c").arg(configuration).args(["-g", "daemon off;"]);
    command
}

fn program() -> &'static str {
    PATHS
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .expect("nginx is not installed: apt-get install nginx-light")
}
