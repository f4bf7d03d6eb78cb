//! Which of a person's daemons is meant: the one without a profile, one with, or whichever listens on a socket. The
//! daemon reads the same words, in the same order of precedence.

use std::{ffi::OsString, path::PathBuf};

use protocol::Profile;

use crate::{error::Error, launch::Launch, paths};

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

    /// A sentence's commands as this person has to type them: who names a daemon by flags means that one, and not the
    /// one that the same command would reach without them.
    pub(crate) fn with_flags(&self, sentence: &str) -> String {
        let mut command = "peerctl".to_owned();
        if let Some(profile) = self.profile.as_ref().filter(|_| self.is_flag) {
            command.extend([" --profile ", profile.as_str()]);
        }
        if let Some(socket) = self.socket.as_ref().filter(|_| self.is_socket_flag) {
            command.extend([" --socket ", &quoted(&socket.to_string_lossy())]);
        }
        // A command comes at the end of a part of a sentence; elsewhere it is the program that is spoken of.
        let parts = sentence.split_inclusive([':', ';']).map(|part| match part.strip_prefix(" peerctl ") {
            Some(rest) if !rest.starts_with('-') => format!(" {command} {rest}"),
            _ => part.to_owned(),
        });
        parts.collect()
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
        let hint = "peer-daemon is not running; start it with: peerctl start";
        assert_eq!(
            Whose::of(profile(true), None).with_flags(hint),
            "peer-daemon is not running; start it with: peerctl --profile work start"
        );
        assert_eq!(Whose::of(profile(false), None).with_flags(hint), hint, "a variable still says it");
        assert_eq!(
            Whose::of(None, Some(("/a b/it's".into(), true))).with_flags("x: peerctl y; peerctl z"),
            r"x: peerctl --socket '/a b/it'\''s' y; peerctl --socket '/a b/it'\''s' z"
        );
        let told = "give it to peerctl instead: peerctl --profile NAME start";
        assert_eq!(Whose::of(profile(true), None).with_flags(told), told);
        let prose = "a daemon that peerctl did not start";
        assert_eq!(Whose::of(profile(true), None).with_flags(prose), prose);
    }
}
