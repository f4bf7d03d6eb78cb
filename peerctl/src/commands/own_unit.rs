//! The person's own systemd and the daemon as a unit of it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use protocol::{
    Profile,
    control::doctor::{Check, Verdict},
};

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
    let Some(name) = installed(whose)? else { return Ok(()) };
    if is("is-enabled", &name) || is("is-active", &name) {
        Err(Error::StartedByService(name))
    } else {
        Ok(())
    }
}

/// What there is to say of the unit of a daemon that does not answer; nothing where there is no unit.
pub(super) fn examine(whose: &Whose) -> Result<Option<Check>, Error> {
    const NAME: &str = "service";
    let Some(name) = installed(whose)? else { return Ok(None) };
    let (finding, remedy) = if is("is-failed", &name) {
        (format!("{name} has failed"), format!("see why: journalctl --user -u {name}"))
    } else if is("is-active", &name) {
        (format!("{name} runs, and does not answer yet"), format!("see why: journalctl --user -u {name}"))
    } else if is("is-enabled", &name) {
        (format!("{name} does not run"), format!("systemctl --user start {name}"))
    } else {
        let finding = format!("{name} is there, and systemd does not start it");
        return Ok(Some(Check::other(
            Verdict::Unknown,
            NAME,
            finding,
            format!("to have it started at each login: systemctl --user enable --now {name}"),
        )));
    };
    Ok(Some(Check::other(Verdict::Bad, NAME, finding, remedy)))
}

/// The unit of the daemon that is meant, where one is installed.
fn installed(whose: &Whose) -> Result<Option<String>, Error> {
    // A unit's daemon listens where nobody says otherwise.
    if whose.has_named_socket() {
        return Ok(None);
    }
    let (name, file) = unit(whose.profile());
    let own = paths::home()?.join(OWN_UNITS);
    let mut folders = [own.as_path()].into_iter().chain(UNITS_OF_ALL.map(Path::new));
    Ok(folders.any(|folder| folder.join(file).exists()).then_some(name))
}

fn is(question: &str, unit: &str) -> bool {
    systemctl(&[question, "--quiet", unit]).is_ok()
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
