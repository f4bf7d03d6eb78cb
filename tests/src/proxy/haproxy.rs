//! `HAProxy`, as its container image runs it: a process that serves under one that reloads.

use std::{path::Path, process::Command};

use rustix::process::Signal;

use super::{Scheme, Shipped, Site, Upstream, certificates::CERTIFICATE_AND_KEY};

pub(super) struct Haproxy;

/// What it says of its own processes and their ends.
const ABOUT_ITSELF: [&str; 6] = [
    "[NOTICE]",
    "stopped (cumulated conns",
    "Former worker",
    "Current worker",
    "Exiting Master",
    "All workers exited",
];

impl Shipped for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn configuration(&self) -> &'static str {
        include_str!("../../../docker/haproxy.cfg")
    }

    fn in_use(&self) -> &'static str {
        "Address already in use"
    }

    fn command(&self, _folder: &Path, configuration: &Path) -> Command {
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-W", "-db", "-f"]).arg(configuration);
        command
    }

    fn placed(&self, setting: &str, site: &Site) -> Option<String> {
        let upstream = match site.upstream {
            Upstream::Tcp(address) => address.to_string(),
            Upstream::Unix(path) => format!("unix@{}", path.display()),
        };
        let tls = format!("ssl crt {}/{CERTIFICATE_AND_KEY}", site.folder.display());
        let tls = match site.scheme {
            Scheme::Http => "",
            Scheme::Https => &tls,
        };
        Some(
            setting
                .replace(":443 ssl crt /etc/haproxy/tls/hearsay.pem", &format!("{} {tls}", site.listen))
                .replace("coordinator:4820", &upstream),
        )
    }

    fn reload(&self) -> Option<Signal> {
        Some(Signal::USR2)
    }

    fn is_about_itself(&self, line: &str) -> bool {
        ABOUT_ITSELF.iter().any(|words| line.contains(words))
    }
}
