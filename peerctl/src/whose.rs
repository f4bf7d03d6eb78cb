//! Which of a person's daemons is meant: the one without a profile, one with, or whichever listens on a socket. The
//! daemon reads the same words, in the same order of precedence.

use std::{ffi::OsString, path::PathBuf};

use protocol::Profile;

use crate::{error::Error, hints::Hints, launch::Launch, paths};

#[derive(Debug, Clone, Default)]
pub(crate) struct Whose {
    profile: Option<Profile>,
    /// Named by a flag, a profile goes over variables that name places one by one.
    is_flag: bool,
    socket: Option<PathBuf>,
    is_socket_flag: bool,
}

impl Whose {
    /// Each with whether a flag names it; else a variable does.
    pub(crate) fn of(profile: Option<(Profile, bool)>, socket: Option<(PathBuf, bool)>) -> Self {
        let is_flag = profile.as_ref().is_some_and(|(_, is_flag)| *is_flag);
        let socket = socket.filter(|(_, socket_is_flag)| *socket_is_flag || !is_flag);
        Self {
            profile: profile.map(|(profile, _)| profile),
            is_flag,
            is_socket_flag: socket.as_ref().is_some_and(|(_, is_flag)| *is_flag),
            socket: socket.map(|(socket, _)| socket),
        }
    }

    pub(crate) fn socket(&self) -> Result<PathBuf, Error> {
        self.socket.clone().map_or_else(|| paths::default_socket(self.profile.as_ref()), Ok)
    }

    /// The configuration file that a daemon reads which is told of no other.
    pub(crate) fn config_file(&self) -> Result<PathBuf, Error> {
        match paths::variable("HEARSAY_CONFIG") {
            Some(file) if !self.is_flag => Ok(file),
            _ => paths::default_config_file(self.profile.as_ref()),
        }
    }

    /// A start by this process, with the person's arguments for the daemon.
    pub(crate) fn launch(&self, arguments: &[OsString]) -> Result<Launch, Error> {
        // One that a variable names, the daemon reads there too.
        let flag = self.profile.as_ref().filter(|_| self.is_flag);
        Launch::with(flag, arguments)
    }

    pub(crate) fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// Whether the person says where the socket is.
    pub(crate) fn has_named_socket(&self) -> bool {
        self.socket.is_some()
    }

    /// For commands that this person is told to type.
    pub(crate) fn hints(&self) -> Hints {
        let profile = self.profile.as_ref().filter(|_| self.is_flag).map(|name| format!("--profile {name}"));
        let socket = self.socket.as_ref().filter(|_| self.is_socket_flag);
        let socket = socket.map(|path| format!("--socket {}", quoted(&path.to_string_lossy())));
        Hints::with(profile.into_iter().chain(socket).collect::<Vec<_>>().join(" "))
    }

    /// How a command is told of the same daemon.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        let profile = self.profile.as_ref().map(|profile| ["--profile".into(), profile.as_str().into()]);
        profile.into_iter().flatten().collect()
    }
}

/// As one word for a shell.
fn quoted(word: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ',' | ':' | '@' | '=');
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::Whose;

    #[test]
    fn a_command_to_type_reaches_the_daemon_that_was_meant() {
        let profile = |is_flag| Some(("work".parse().unwrap(), is_flag));
        let told = |whose: Whose| whose.hints().spell("x: peerctl start").into_owned();
        assert_eq!(told(Whose::of(profile(true), None)), "x: peerctl --profile work start");
        assert_eq!(told(Whose::of(profile(false), None)), "x: peerctl start", "a variable still says it");
        let socket = |is_flag| Some(("/a b/it's".into(), is_flag));
        assert_eq!(
            told(Whose::of(profile(true), socket(true))),
            r"x: peerctl --profile work --socket '/a b/it'\''s' start"
        );
        assert_eq!(told(Whose::of(None, socket(false))), "x: peerctl start");
    }
}
