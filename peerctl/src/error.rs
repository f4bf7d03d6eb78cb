//! What can go wrong in a command: each with a sentence that names the way out, and its exit code.

use std::{io, path::PathBuf};

use protocol::{
    Code, Problem,
    control::{Cause, ExitCode},
};
use thiserror::Error;

/// What shells use for a program that Ctrl-C ended. The download itself goes on.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("peer-daemon is not running; start it with: peerctl start")]
    NotRunning,
    #[error("no permission to use the control socket {}; it serves only the user who started peer-daemon", .0.display())]
    SocketForbidden(PathBuf),
    #[error("the control socket {} is another user's; name your own with --socket", .0.display())]
    SocketForeign(PathBuf),
    #[error("the control socket {} can't be used: {reason}", path.display())]
    SocketUnusable { path: PathBuf, reason: String },
    #[error("peer-daemon did not answer in time; it may be busy: try again, or see its log")]
    NoAnswer,
    #[error("peer-daemon's answer can't be read ({0}); is it of another version? compare: peerctl version")]
    Unreadable(String),
    /// Both versions, and what to update.
    #[error("{0}")]
    VersionsDiffer(String),
    #[error("{}", problem_sentence(.0))]
    Problem(Problem),
    #[error("nothing found; all words count, in any order: try fewer, or another spelling")]
    NothingFound,
    /// `held_by` where all that still run wait for the disk.
    #[error("timed out; to wait on: peerctl wait {}", ids.join(" "))]
    TimedOut { ids: Vec<String>, held_by: Option<Cause> },
    #[error("the download goes on in the background; to wait for it: peerctl wait {}", ids.join(" "))]
    Interrupted { ids: Vec<String> },
    #[error("there is no terminal to ask at; use: {0}")]
    NobodyToAsk(&'static str),
    /// Ctrl-C at a prompt.
    #[error("given up")]
    GivenUp,
    #[error("not connected: {0}")]
    NotConnected(String),
    #[error("peer-daemon can't be started: {0}; is it installed beside peerctl or in PATH?")]
    StartFailed(io::Error),
    #[error("peer-daemon ended at once; the end of its log:\n{log}")]
    DaemonEnded { status: u8, log: String },
    #[error("peer-daemon was started and does not answer yet; see {}", .0.display())]
    StartTimedOut(PathBuf),
    #[error("peer-daemon is still finishing; see: peerctl status")]
    StopTimedOut,
    #[error(
        "systemd runs this peer-daemon; restart it there: systemctl restart {0}, with --user where it is your own"
    )]
    RunByService(String),
    #[error(
        "systemd starts this peer-daemon: systemctl --user start {0} (to start it without systemd from now on: systemctl --user disable --now {0})"
    )]
    StartedByService(String),
    #[error("systemctl --user failed: {0}; to start the daemon without systemd: peerctl start")]
    ServiceFailed(String),
    #[error(
        "it can't be seen how this peer-daemon was started; say it: peerctl restart -- ARGUMENTS, or start it again where it was started"
    )]
    LaunchUnknown,
    #[error("give the profile to peerctl instead: peerctl --profile NAME start")]
    ProfileToDaemon,
    #[error("give the socket to peerctl instead: peerctl --socket PATH start")]
    SocketToDaemon,
    #[error("{0}")]
    ConfigWrong(String),
    #[error("the path {} is not UTF-8 and can't be sent to peer-daemon; rename it", .0.display())]
    PathUnspeakable(PathBuf),
    #[error("HOME is not set to a folder; name the socket with --socket PATH")]
    NoHome,
    #[error("there is no log {}; a daemon that peerctl did not start logs elsewhere, such as: journalctl --user -u peer-daemon", .0.display())]
    NoLog(PathBuf),
    #[error("{} can't be written: {error}", path.display())]
    NotWritten { path: PathBuf, error: io::Error },
    #[error("the log {} can't be used: {error}", path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error("{0}")]
    System(io::Error),
    /// The doctor has told what is not well.
    #[error("")]
    NotWell,
    /// Downloads that failed, already told one by one.
    #[error("")]
    DownloadsFailed(ExitCode),
    /// What failed among several things, already told one by one, with the first one's exit code.
    #[error("")]
    Told(u8),
    /// Whoever read our output has gone: there is nobody to tell.
    #[error("")]
    OutputClosed,
}

impl Error {
    /// What to say, unless all is said.
    pub(crate) fn sentence(&self) -> Option<String> {
        Some(self.to_string()).filter(|sentence| !sentence.is_empty())
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::DaemonEnded { status, .. } | Self::Told(status) => *status,
            Self::Interrupted { .. } | Self::GivenUp => INTERRUPTED,
            // `peerctl search x | head -1` is no failure.
            Self::OutputClosed => ExitCode::Done as u8,
            other => other.exit_code() as u8,
        }
    }

    /// Whether a daemon of another version may be the cause.
    pub(crate) fn may_be_of_versions(&self) -> bool {
        match self {
            Self::Unreadable(_) => true,
            Self::Problem(problem) => {
                matches!(problem.code, Code::RouteUnknown | Code::MethodNotAllowed | Code::RequestInvalid)
            }
            _ => false,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotRunning => ExitCode::DaemonNotRunning,
            Self::SocketForbidden(_) | Self::SocketForeign(_) => ExitCode::Permission,
            Self::RunByService(_) | Self::StartedByService(_) => ExitCode::Conflict,
            Self::NothingFound | Self::NoLog(_) => ExitCode::NotFound,
            Self::TimedOut { held_by: Some(cause), .. } => (*cause).into(),
            Self::NoAnswer | Self::TimedOut { .. } | Self::StartTimedOut(_) | Self::StopTimedOut => {
                ExitCode::TimedOut
            }
            Self::NotConnected(_) => ExitCode::Unreachable,
            Self::VersionsDiffer(_) => ExitCode::VersionMismatch,
            Self::SocketToDaemon
            | Self::ProfileToDaemon
            | Self::ConfigWrong(_)
            | Self::PathUnspeakable(_)
            | Self::NobodyToAsk(_) => ExitCode::Usage,
            Self::Problem(problem) => problem_exit_code(problem.code),
            Self::DownloadsFailed(code) => *code,
            Self::OutputClosed => ExitCode::Done,
            Self::SocketUnusable { .. }
            | Self::Unreadable(_)
            | Self::Interrupted { .. }
            | Self::GivenUp
            | Self::NotWell
            | Self::Told(_)
            | Self::StartFailed(_)
            | Self::DaemonEnded { .. }
            | Self::NoHome
            | Self::LaunchUnknown
            | Self::ServiceFailed(_)
            | Self::Log { .. }
            | Self::NotWritten { .. }
            | Self::System(_) => ExitCode::Other,
        }
    }
}

fn problem_exit_code(code: Code) -> ExitCode {
    match code {
        Code::RequestInvalid
        | Code::BodyTooLarge
        | Code::MediaTypeUnsupported
        | Code::Internal
        | Code::TokenInvalid
        | Code::CursorInvalid
        | Code::Unknown => ExitCode::Other,
        // A route that the daemon does not have: it is older than peerctl.
        Code::RouteUnknown | Code::MethodNotAllowed | Code::VersionUnsupported => ExitCode::VersionMismatch,
        Code::UsernameInvalid
        | Code::QueryInvalid
        | Code::PortInvalid
        | Code::LinkInvalid
        | Code::ShareInvalid
        | Code::SettingInvalid => ExitCode::Usage,
        Code::UsernameTaken
        | Code::Superseded
        | Code::IdTaken
        | Code::NotConnected
        | Code::StateWrong
        | Code::NoCoordinator
        | Code::ShareConfigured
        | Code::NoUsername
        | Code::GuiOff
        | Code::BlocksFull => ExitCode::Conflict,
        Code::SearchOver
        | Code::IntroductionOver
        | Code::FileGone
        | Code::SearchUnknown
        | Code::ResultUnknown
        | Code::DownloadUnknown
        | Code::ShareUnknown
        | Code::FileNotShared
        | Code::SourceUnknown
        | Code::SettingUnknown
        | Code::RequestUnknown
        | Code::BlockUnknown => ExitCode::NotFound,
        Code::JoinKeyWrong
        | Code::NameTokenInvalid
        | Code::FileNotOffered
        | Code::CallerRefused
        | Code::PageRefused => ExitCode::Permission,
        Code::AddressUnknown | Code::Draining | Code::CoordinatorUnreachable | Code::CoordinatorRefused => {
            ExitCode::Unreachable
        }
        Code::RateLimited => ExitCode::RateLimited,
        Code::SourceChanged => ExitCode::SourceChanged,
    }
}

/// What one can do about it, where that is a command.
fn way_out(code: Code) -> Option<&'static str> {
    match code {
        Code::NotConnected | Code::NoUsername => Some("connect with: peerctl connect USERNAME"),
        Code::NoCoordinator => Some("name one: peerctl config set coordinator URL; peerctl restart"),
        Code::UsernameTaken => Some("choose another: peerctl connect USERNAME"),
        Code::SearchUnknown | Code::ResultUnknown => Some("search again: peerctl search QUERY"),
        Code::DownloadUnknown => Some("for the list: peerctl downloads"),
        Code::RequestUnknown => Some("for the list: peerctl requests"),
        Code::CoordinatorUnreachable => Some("see: peerctl status"),
        Code::ShareUnknown => Some("for the list: peerctl share ls"),
        Code::SourceUnknown => Some("try again when somebody who has it is online"),
        Code::SettingUnknown => Some("for the list: peerctl config show"),
        Code::RouteUnknown | Code::MethodNotAllowed | Code::VersionUnsupported => {
            Some("compare: peerctl version")
        }
        _ => None,
    }
}

/// A detail says itself what to do about it.
fn problem_sentence(problem: &Problem) -> String {
    match (&problem.detail, way_out(problem.code)) {
        (Some(detail), _) => format!("{}: {detail}", problem.title),
        (None, Some(way_out)) => format!("{}; {way_out}", problem.title),
        (None, None) => problem.title.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, problem_sentence};
    use protocol::{Code, Problem, control::ExitCode};

    fn status(code: Code) -> u8 {
        Error::Problem(Problem::new(code)).exit_status()
    }

    #[test]
    fn scripts_can_rely_on_exit_codes() {
        assert_eq!(Error::NotRunning.exit_status(), 3);
        assert_eq!(Error::NothingFound.exit_status(), 4);
        assert_eq!(Error::TimedOut { ids: vec![], held_by: None }.exit_status(), 6);
        assert_eq!(Error::NotConnected(String::new()).exit_status(), 7);
        assert_eq!(Error::SocketForbidden("x".into()).exit_status(), 10);
        assert_eq!(Error::Interrupted { ids: vec![] }.exit_status(), 130);
        assert_eq!(Error::DownloadsFailed(ExitCode::IntegrityFailure).exit_status(), 32);
        for (code, expected) in [
            (Code::UsernameInvalid, 2),
            (Code::ResultUnknown, 4),
            (Code::UsernameTaken, 5),
            (Code::CoordinatorUnreachable, 7),
            (Code::CallerRefused, 10),
            (Code::RateLimited, 11),
            (Code::VersionUnsupported, 12),
        ] {
            assert_eq!(status(code), expected, "{code:?}");
        }
    }

    #[test]
    fn no_problem_counts_as_done() {
        for &code in Code::ALL {
            assert_ne!(status(code), 0, "{code:?}");
        }
    }

    #[test]
    fn a_problem_is_told_with_the_way_out() {
        let problem = Problem::new(Code::NotConnected);
        assert_eq!(
            problem_sentence(&problem),
            "not connected to a coordinator; connect with: peerctl connect USERNAME"
        );
        let problem = problem.with_detail("wait a moment");
        assert_eq!(problem_sentence(&problem), "not connected to a coordinator: wait a moment");
    }
}
