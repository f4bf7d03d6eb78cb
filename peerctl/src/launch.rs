//! What a daemon is started with: arguments, variables and a folder; those of this process, or those of a daemon
//! that is to be started once more. Where its log is follows from them, as it does for the daemon.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use protocol::{
    Profile,
    paths::{self as defaults, LOG_FILE},
};

use crate::{error::Error, paths};

const PROGRAM: &str = "peer-daemon";

#[derive(Debug)]
pub(crate) struct Launch {
    arguments: Vec<OsString>,
    /// `None` for those of this process.
    surroundings: Option<Surroundings>,
}

/// What a process was given besides arguments.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) folder: PathBuf,
}

impl Launch {
    /// By this process, as the person says.
    pub(crate) fn with(profile: Option<&Profile>, arguments: &[OsString]) -> Result<Self, Error> {
        for (flag, error) in [("--socket", Error::SocketToDaemon), ("--profile", Error::ProfileToDaemon)] {
            if find(arguments, flag).is_some() {
                return Err(error);
            }
        }
        let profile = profile.map(|profile| ["--profile".into(), profile.as_str().into()]);
        let arguments = profile.into_iter().flatten().chain(arguments.iter().cloned()).collect();
        Ok(Self { arguments, surroundings: None })
    }

    /// As another one was. Where its socket is is known better by now.
    pub(crate) fn again(mut arguments: Vec<OsString>, surroundings: Surroundings) -> Self {
        while let Some((place, is_apart)) = find(&arguments, "--socket") {
            arguments.drain(place..arguments.len().min(place + 1 + usize::from(is_apart)));
        }
        Self { arguments, surroundings: Some(surroundings) }
    }

    /// Where the daemon will write its log.
    pub(crate) fn log_file(&self) -> Result<PathBuf, Error> {
        let file = match self.told("--log-file", "HEARSAY_LOG_FILE", "log_file") {
            Some(file) => file,
            None => self.state_dir()?.join(LOG_FILE),
        };
        Ok(self.surroundings.as_ref().map_or(file.clone(), |surroundings| surroundings.folder.join(file)))
    }

    /// The daemon's command. It is in a process group of its own, so that Ctrl-C in this terminal does not reach it.
    pub(crate) fn command(&self, socket: &Path) -> Result<Command, Error> {
        let mut command = Command::new(paths::program_beside(PROGRAM));
        if let Some(Surroundings { variables, folder }) = &self.surroundings {
            command.env_clear().envs(variables.iter().map(|(name, value)| (name, value))).current_dir(folder);
        }
        command.arg("--socket").arg(socket).args(&self.arguments);
        if self.told("--log-file", "HEARSAY_LOG_FILE", "log_file").is_none() {
            command.arg("--log-file").arg(self.log_file()?);
        }
        command.stdin(Stdio::null()).process_group(0);
        Ok(command)
    }

    fn state_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.option("--state-dir").or_else(|| self.place("HEARSAY_STATE_DIR")) {
            return Ok(dir);
        }
        let profile = self.profile();
        // A profile stands for the directory as if it were named where the profile is.
        let setting = if profile.is_none() { self.setting("state_dir") } else { None };
        let state_home = self.variable("XDG_STATE_HOME").map(PathBuf::from);
        setting.map_or_else(
            || Ok(defaults::state_dir(state_home.as_deref(), &self.home()?, profile.as_ref())),
            Ok,
        )
    }

    /// By a flag, else by a variable.
    fn profile(&self) -> Option<Profile> {
        let variable = || self.variable("HEARSAY_PROFILE").map(PathBuf::from);
        self.option("--profile").or_else(variable)?.to_str()?.parse().ok()
    }

    /// A variable that names a place of a daemon. Named by a flag, a profile goes over it.
    fn place(&self, variable: &str) -> Option<PathBuf> {
        let is_passed_over = self.option("--profile").is_some();
        self.variable(variable).filter(|_| !is_passed_over).map(PathBuf::from)
    }

    /// As the daemon will be told: by a flag, else by a variable, else in its configuration file.
    fn told(&self, flag: &str, variable: &str, key: &str) -> Option<PathBuf> {
        self.option(flag).or_else(|| self.variable(variable).map(PathBuf::from)).or_else(|| self.setting(key))
    }

    /// A path in the configuration file. What is wrong with the file, the daemon will say.
    fn setting(&self, key: &str) -> Option<PathBuf> {
        let file = self.option("--config").or_else(|| self.place("HEARSAY_CONFIG")).or_else(|| {
            let config_home = self.variable("XDG_CONFIG_HOME").map(PathBuf::from);
            let home = self.home().ok()?;
            Some(defaults::config_file(config_home.as_deref(), &home, self.profile().as_ref()))
        })?;
        let table: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
        table.get(key)?.as_str().map(PathBuf::from)
    }

    /// The value of `--name VALUE` or `--name=VALUE` among the arguments.
    fn option(&self, name: &str) -> Option<PathBuf> {
        let (place, is_apart) = find(&self.arguments, name)?;
        if is_apart {
            return self.arguments.get(place + 1).map(PathBuf::from);
        }
        self.arguments[place].to_str()?.split_once('=').map(|(_, value)| PathBuf::from(value))
    }

    fn home(&self) -> Result<PathBuf, Error> {
        self.variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute()).ok_or(Error::NoHome)
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        match &self.surroundings {
            None => std::env::var_os(name),
            Some(Surroundings { variables, .. }) => {
                variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value.clone())
            }
        }
    }
}

/// Whether a process with this command line is a daemon.
pub(crate) fn is_daemon(program: &OsStr) -> bool {
    Path::new(program).file_name().is_some_and(|name| name == PROGRAM)
}

/// Where an option is, and whether its value is an argument of its own.
fn find(arguments: &[OsString], name: &str) -> Option<(usize, bool)> {
    let spelling = |argument: &OsString| {
        let rest = argument.to_str()?.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with('=')).then_some(rest.is_empty())
    };
    arguments.iter().enumerate().find_map(|(place, argument)| Some((place, spelling(argument)?)))
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, path::PathBuf};

    use super::{Launch, Surroundings};

    fn again(arguments: &[&str], variables: &[(&str, &str)]) -> Launch {
        let variables = variables.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let surroundings = Surroundings { variables, folder: "/at".into() };
        Launch::again(arguments.iter().map(OsString::from).collect(), surroundings)
    }

    #[test]
    fn an_option_is_found_in_both_spellings() {
        let launch = again(&["--share", "a", "--state-dir", "/s"], &[]);
        assert_eq!(launch.option("--state-dir"), Some(PathBuf::from("/s")));
        assert_eq!(again(&["--state-dir=/t"], &[]).option("--state-dir"), Some(PathBuf::from("/t")));
        assert_eq!(again(&["--state-directory=/t"], &[]).option("--state-dir"), None);
    }

    #[test]
    fn the_log_is_where_the_daemon_will_write_it() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join(".config/hearsay/peer-daemon.toml");
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        let home_text = home.path().to_str().unwrap();
        let log = |arguments: &[&str], variables: &[(&str, &str)]| {
            let variables = [&[("HOME", home_text)], variables].concat();
            again(arguments, &variables).log_file().unwrap()
        };
        assert_eq!(log(&[], &[]), home.path().join(".local/state/hearsay/daemon.log"));
        std::fs::write(&config, "state_dir = \"/of the file\"\n").unwrap();
        assert_eq!(log(&[], &[]), PathBuf::from("/of the file/daemon.log"));
        assert_eq!(log(&[], &[("HEARSAY_STATE_DIR", "/e")]), PathBuf::from("/e/daemon.log"));
        assert_eq!(
            log(&["--state-dir", "s"], &[("HEARSAY_STATE_DIR", "/e")]),
            PathBuf::from("/at/s/daemon.log")
        );
        assert_eq!(log(&["--log-file=l"], &[]), PathBuf::from("/at/l"));
        let work = home.path().join(".local/state/hearsay/profiles/work/daemon.log");
        let elsewhere = ("HEARSAY_STATE_DIR", "/e");
        assert_eq!(log(&["--profile", "work"], &[elsewhere]), work);
        assert_eq!(log(&[], &[("HEARSAY_PROFILE", "work")]), work);
        assert_eq!(log(&[], &[("HEARSAY_PROFILE", "work"), elsewhere]), PathBuf::from("/e/daemon.log"));
        std::fs::write(&config, "not toml").unwrap();
        assert_eq!(log(&[], &[]), home.path().join(".local/state/hearsay/daemon.log"));
    }

    #[test]
    fn who_is_started_again_gets_the_same_but_for_the_socket() {
        let launch = again(&["--socket", "/old", "--share", "a", "--socket=/old"], &[("HOME", "/h")]);
        let command = launch.command("/new".as_ref()).unwrap();
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        let log = "/h/.local/state/hearsay/daemon.log";
        assert_eq!(arguments, ["--socket", "/new", "--share", "a", "--log-file", log]);
        assert_eq!(command.get_current_dir(), Some("/at".as_ref()));
    }
}
