//! What scripts learn from an exit: one table for all three programs.

use super::Cause;

/// Declares the codes with what each means.
macro_rules! exit_codes {
    ($($name:ident = $code:literal, $meaning:literal;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ExitCode {
            $(#[doc = $meaning] $name = $code,)+
        }

        impl ExitCode {
            /// All of them, with what each means.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $meaning),)+];
        }
    };
}

exit_codes! {
    Done = 0, "done";
    Other = 1, "other";
    Usage = 2, "usage";
    DaemonNotRunning = 3, "daemon not running";
    NotFound = 4, "not found";
    Conflict = 5, "conflict";
    TimedOut = 6, "timed out";
    Unreachable = 7, "coordinator or peer unreachable";
    SourceChanged = 8, "source changed";
    NoSpace = 9, "no space";
    Permission = 10, "permission";
    RateLimited = 11, "rate limited";
    VersionMismatch = 12, "version mismatch";
    IntegrityFailure = 32, "integrity failure";
}

impl From<Cause> for ExitCode {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::SourceGone
            | Cause::NeitherReachable
            | Cause::StreamLost
            | Cause::CoordinatorUnreachable => Self::Unreachable,
            Cause::FileGone | Cause::FolderGone => Self::NotFound,
            Cause::NameTaken => Self::Conflict,
            Cause::SourceChanged => Self::SourceChanged,
            Cause::Integrity => Self::IntegrityFailure,
            Cause::RateLimited => Self::RateLimited,
            Cause::VersionMismatch => Self::VersionMismatch,
            Cause::NoSpace => Self::NoSpace,
            Cause::Declined | Cause::Permission => Self::Permission,
            Cause::TimedOut => Self::TimedOut,
            Cause::Other => Self::Other,
        }
    }
}
