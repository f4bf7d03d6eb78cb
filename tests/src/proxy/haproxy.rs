//! `HAProxy`, as its container image runs it: a process that serves under one that reloads.

use std::{path::Path, process::Command};

use rustix::process::Signal;

use super::{Place, Scheme, Shipped, Upstream, certificates::CERTIFICATE_AND_KEY};

pub(super) struct Haproxy;

/// What it says of its own processes, and of its configuration when the last one leaves.
const ABOUT_ITSELF: [&str; 4] = ["[NOTICE]", "stopped (cumulated conns", "Former worker", "Exiting Master"];

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

    fn placed(&self, setting: &str, place: &Place) -> Option<String> {
        let upstream = match place.upstream {
            Upstream::Tcp(address) => address.to_string(),
            Upstream::Unix(path) => format!("unix@{}", path.display()),
        };
        let tls = format!("ssl crt {}/{CERTIFICATE_AND_KEY}", place.folder.display());
        let tls = match place.scheme {
            Scheme::Http => "",
            Scheme::Https => &tls,
        };
        Some(
            setting
                .replace(":443 ssl crt /etc/haproxy/tls/hearsay.pem", &format!("{} {tls}", place.listen))
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
