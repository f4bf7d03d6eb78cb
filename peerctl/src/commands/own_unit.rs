//! The person's own systemd and the daemon as a unit of it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use protocol::Profile;

use crate::{error::Error, paths, whose::Whose};

/// Where systemd looks for units of persons, below the home and elsewhere.
pub(super) const OWN_UNITS: &str = ".config/systemd/user";
const UNITS_OF_ALL: [&str; 4] =
    ["/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/lib/systemd/user"];

/// A unit's name, and the file in which it is.
pub(super) fn unit(profile: Option<&Profile>) -> (String, &'static str) {
    match profile {
        None => ("peer-daemon.service".to_owned(), "peer-daemon.service"),
        Some(profile) => (format!("peer-daemon@{profile}.service"), "peer-daemon@.service"),
    }
}

/// An error where systemd starts this daemon at each login or just now: a second one beside it would take its state
/// away from it. Where there is no unit, systemd is not asked; where systemd does not answer, it starts nothing.
pub(super) fn is_left_to_systemd(whose: &Whose) -> Result<(), Error> {
    // A unit's daemon listens where nobody says otherwise.
    if whose.has_named_socket() {
        return Ok(());
    }
    let (name, file) = unit(whose.profile());
    let own = paths::home()?.join(OWN_UNITS);
    if ![own.as_path()].into_iter().chain(UNITS_OF_ALL.map(Path::new)).any(|dir| dir.join(file).exists()) {
        return Ok(());
    }
    let is = |question| systemctl(&[question, "--quiet", &name]).is_ok();
    if is("is-enabled") || is("is-active") { Err(Error::StartedByService(name)) } else { Ok(()) }
}

pub(super) fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    let mut command = Command::new("systemctl");
    let ran = command.arg("--user").args(arguments).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| Error::ServiceFailed(error.to_string()))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Error::ServiceFailed(String::from_utf8_lossy(&ran.stderr).trim().to_owned()))
}
