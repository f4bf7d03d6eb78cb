//! The daemon as a service of the person's own, where their systemd runs: a unit is put where it looks for units of
//! theirs, and enabled. A unit that is there and says something else is theirs, and stays unless they say otherwise.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    commands::own_unit::{self, systemctl},
    error::Error,
    output::Output,
    paths,
    prompt::Person,
    whose::Whose,
};

/// The units of the repository, with the path at which a package would put the program.
const UNIT: &str = include_str!("../../../../peer-daemon/systemd/user/peer-daemon.service");
const UNIT_BY_PROFILE: &str = include_str!("../../../../peer-daemon/systemd/user/peer-daemon@.service");
const PACKAGED_PROGRAM: &str = "/usr/bin/peer-daemon";
/// A service gets none of these from the terminal, and without them the daemon would be another one.
const VARIABLES: [&str; 2] = ["XDG_CONFIG_HOME", "XDG_STATE_HOME"];
const OWN_VARIABLES: &str = "HEARSAY_";

pub(super) struct Service {
    name: String,
    file: PathBuf,
    text: String,
}

impl Service {
    /// `None` where there is no systemd of the person's, or where the daemon as a service would not be the one that
    /// they mean.
    pub(super) fn possible(whose: &Whose) -> Option<Self> {
        let is_told_elsewhere = |(name, _): (std::ffi::OsString, _)| {
            let name = name.to_string_lossy();
            VARIABLES.contains(&&*name) || name.starts_with(OWN_VARIABLES)
        };
        if whose.has_named_socket() || std::env::vars_os().any(is_told_elsewhere) {
            return None;
        }
        let program = installed("peer-daemon")?;
        let unit = if whose.profile().is_some() { UNIT_BY_PROFILE } else { UNIT };
        let (name, file) = own_unit::unit(whose.profile());
        let file = paths::home().ok()?.join(own_unit::OWN_UNITS).join(file);
        let service = Self { name, file, text: unit.replace(PACKAGED_PROGRAM, &program) };
        systemctl(&["show-environment"]).is_ok().then_some(service)
    }

    /// Puts the unit in its place, has it started now and whenever the person logs in, and says how to undo that.
    pub(super) fn install(&self, person: &Person, output: &Output) -> Result<(), Error> {
        let file = self.file.display();
        let is_other = fs::read_to_string(&self.file).is_ok_and(|there| there != self.text);
        let question = format!("{file} is there already, and says something else. Write it anew?");
        if !is_other || person.confirms(&question, false)? {
            self.write().map_err(|error| Error::NotWritten { path: self.file.clone(), error })?;
        }
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", &self.name])?;
        let name = self.name.trim_end_matches(".service");
        output.note(&format!("installed: {file}; its log: journalctl --user -u {name}"));
        output.note(&format!("to undo that: systemctl --user disable --now {name}; rm {file}"));
        output.note("to have it run while you are not logged in: loginctl enable-linger");
        Ok(())
    }

    /// Whole, or not at all.
    fn write(&self) -> std::io::Result<()> {
        let draft = self.file.with_extension("draft");
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&draft, &self.text)?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o644))?;
        fs::rename(draft, &self.file)
    }
}

/// The whole path of a program, if it is one that a unit can name without quotes.
fn installed(program: &str) -> Option<String> {
    let beside = paths::program_beside(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(&beside)).find(|path| path.is_file());
    let found = if beside.is_absolute() { beside } else { found? };
    plain(&found)
}

fn plain(path: &Path) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    path.to_str().filter(|text| path.is_absolute() && text.chars().all(is_plain)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PACKAGED_PROGRAM, UNIT, UNIT_BY_PROFILE, plain};

    #[test]
    fn the_units_name_the_program_once() {
        for unit in [UNIT, UNIT_BY_PROFILE] {
            assert_eq!(unit.matches(PACKAGED_PROGRAM).count(), 1);
            assert!(unit.contains(&format!("\nExecStart={PACKAGED_PROGRAM}")));
        }
    }

    #[test]
    fn a_path_that_a_unit_would_read_otherwise_is_none() {
        assert_eq!(plain(Path::new("/opt/a-b_c+1.0/peer-daemon")).unwrap(), "/opt/a-b_c+1.0/peer-daemon");
        for path in ["peer-daemon", "/a b/peer-daemon", "/a%h/peer-daemon", "/a$b/x", "/a\"b/x", "/a\\b/x"] {
            assert_eq!(plain(Path::new(path)), None, "{path}");
        }
    }
}
