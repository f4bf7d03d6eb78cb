//! The trial's network: a bridge, and for each service a host of its own on it. All of it is in a network and a mount
//! namespace of the trial's, and goes with them.

use std::{collections::BTreeMap, fmt::Write as _, net::Ipv4Addr, process::Command};

use anyhow::Result;

use super::compose::Host;
use crate::workspace::output;

const BRIDGE: &str = "trial";

pub(super) struct Network {
    hosts: BTreeMap<String, Host>,
}

impl Network {
    pub(super) fn lay(gateway: Ipv4Addr, hosts: BTreeMap<String, Host>) -> Result<Self> {
        // Where `ip` notes the names of namespaces, so that none is left over on the machine.
        output(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
        ip(&["link set lo up"])?;
        let address = format!("address add {gateway}/24 dev {BRIDGE}");
        ip(&[&format!("link add {BRIDGE} type bridge"), &address, &format!("link set {BRIDGE} up")])?;
        // Names of interfaces are short, and a service's may be long.
        for (number, (name, host)) in hosts.iter().enumerate() {
            let port = format!("port{number}");
            ip(&[
                &format!("netns add {name}"),
                &format!("link add {port} type veth peer name eth0 netns {name}"),
                &format!("link set {port} master {BRIDGE} up"),
                &format!("-n {name} address add {}/24 dev eth0", host.address),
                &format!("-n {name} link set eth0 up"),
                &format!("-n {name} link set lo up"),
            ])?;
        }
        Ok(Self { hosts })
    }

    /// Of `/etc/hosts`, in place of an engine's name server.
    pub(super) fn names(&self) -> String {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for host in self.hosts.values() {
            let _ = writeln!(text, "{} {}", host.address, host.names.join(" "));
        }
        text
    }
}

fn ip(calls: &[&str]) -> Result<()> {
    for call in calls {
        output(Command::new("ip").args(call.split(' ')))?;
    }
    Ok(())
}
