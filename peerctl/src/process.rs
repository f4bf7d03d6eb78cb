//! The daemon as a process of this machine, as Linux tells of it: how it was started, by whom, and whether it has
//! ended. Elsewhere, or where it is out of sight (in a container), nothing is known.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use crate::launch::{Launch, Surroundings, is_daemon};

#[derive(Debug)]
pub(crate) struct DaemonProcess {
    /// Its folder in `/proc`.
    folder: PathBuf,
}

impl DaemonProcess {
    /// The one that listens on the socket, if it can be seen: what a service manager listens on for a daemon is
    /// nobody's.
    pub(crate) async fn behind(socket: &Path) -> Option<Self> {
        let stream = tokio::net::UnixStream::connect(socket).await.ok()?;
        let process = Self { folder: PathBuf::from(format!("/proc/{}", stream.peer_cred().ok()?.pid()?)) };
        is_daemon(process.list("cmdline").first()?).then_some(process)
    }

    /// The command line, the variables and the folder that it was started with.
    pub(crate) fn launch(&self) -> Option<Launch> {
        let arguments = self.list("cmdline").into_iter().skip(1).collect();
        let variables = self.list("environ").into_iter().filter_map(split).collect();
        let folder = fs::read_link(self.folder.join("cwd")).ok()?;
        Some(Launch::again(arguments, Surroundings { variables, folder }))
    }

    /// The unit of systemd that runs it: its control group has that name.
    pub(crate) fn unit(&self) -> Option<String> {
        let groups = fs::read_to_string(self.folder.join("cgroup")).ok()?;
        groups.lines().find_map(unit_of)
    }

    /// Whether it has ended, be it that its parent has not looked yet.
    pub(crate) fn has_ended(&self) -> bool {
        fs::read_to_string(self.folder.join("stat")).map_or(true, |stat| is_zombie(&stat))
    }

    fn list(&self, file: &str) -> Vec<OsString> {
        let bytes = fs::read(self.folder.join(file)).unwrap_or_default();
        let parts = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|&byte| byte == 0);
        parts.map(|part| OsStr::from_bytes(part).to_owned()).collect()
    }
}

fn split(variable: OsString) -> Option<(OsString, OsString)> {
    let bytes = variable.into_vec();
    let equals = bytes.iter().position(|&byte| byte == b'=')?;
    let [name, value] =
        [&bytes[..equals], &bytes[equals + 1..]].map(|part| OsStr::from_bytes(part).to_owned());
    Some((name, value))
}

/// `0::/user.slice/…/app.slice/peer-daemon.service`, or `…/peer-daemon@work.service`.
fn unit_of(group: &str) -> Option<String> {
    let unit = group.rsplit('/').next()?;
    (unit.starts_with("peer-daemon") && unit.ends_with(".service")).then(|| unit.to_owned())
}

/// `123 (a name (of any kind)) Z 1 …`
fn is_zombie(stat: &str) -> bool {
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::{is_zombie, split, unit_of};

    #[test]
    fn the_units_that_run_a_daemon_are_known() {
        for (group, unit) in [
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/peer-daemon.service",
                Some("peer-daemon.service"),
            ),
            (
                "0::/system.slice/system-peer\\x2ddaemon.slice/peer-daemon@nas.service",
                Some("peer-daemon@nas.service"),
            ),
            ("0::/user.slice/user-1000.slice/session-2.scope", None),
            ("0::/system.slice/ssh.service", None),
            ("0::/", None),
        ] {
            assert_eq!(unit_of(group).as_deref(), unit, "{group}");
        }
    }

    #[test]
    fn who_has_ended_is_known_whatever_its_name_is() {
        assert!(is_zombie("7 (peer-daemon) Z 1 7"));
        assert!(!is_zombie("7 (peer-daemon) S 1 7"));
        assert!(!is_zombie("7 (a) Z b) S 1 7"));
    }

    #[test]
    fn a_variable_may_have_equals_signs_in_its_value() {
        assert_eq!(split("A=b=c".into()), Some(("A".into(), "b=c".into())));
        assert_eq!(split("A=".into()), Some(("A".into(), "".into())));
        assert_eq!(split("none".into()), None);
    }
}
