//! Why a download could not go on: something came in the way of it, or this machine has a trouble of its own.

use protocol::control::Cause;
use thiserror::Error;

use super::{assemble::AssembleError, disk_trouble::DiskTrouble, setback::Setback, step::Step};
use crate::{peer_stream::client::StreamError, state::StateError};

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Setback(#[from] Setback),
    /// By the person, or the daemon ends.
    #[error("cancelled")]
    Cancelled,
    #[error("{source}: {}", disk_way_out(source))]
    Disk { source: AssembleError },
    /// It passes: the download waits for it.
    #[error(transparent)]
    DiskTrouble(#[from] DiskTrouble),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the disk's worker ended early")]
    Worker,
}

impl Failure {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Setback(setback) => setback.cause(),
            Self::Disk { source: AssembleError::NoSpace(_) } => Cause::NoSpace,
            Self::Disk { source: AssembleError::Permission(_) } => Cause::Permission,
            Self::Disk { source: AssembleError::NameTaken(_) } => Cause::NameTaken,
            Self::DiskTrouble(trouble) => trouble.cause(),
            Self::Disk { .. } | Self::State(_) | Self::Worker | Self::Cancelled => Cause::Other,
        }
    }

    /// As it is kept.
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::Setback(setback) => Step::Setback(setback.clone()),
            trouble => Step::OwnTrouble { sentence: trouble.to_string(), cause: self.cause() },
        }
    }
}

impl From<AssembleError> for Failure {
    fn from(source: AssembleError) -> Self {
        match source {
            AssembleError::Stopped => Self::Cancelled,
            source => Self::Disk { source },
        }
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Setback::from(error).into()
    }
}

fn disk_way_out(error: &AssembleError) -> &'static str {
    match error {
        AssembleError::NoSpace(_) => "make room and get it again",
        AssembleError::Permission(_) => "let this user write to the download folder and get it again",
        AssembleError::TooLarge(_) | AssembleError::Name(_) => {
            "put downloads elsewhere and get it again: peerctl config set download_dir"
        }
        AssembleError::Gone(_) => "get it anew: peerctl retry",
        AssembleError::NameTaken(_) => "to fetch it all the same, get it with --conflict rename or overwrite",
        AssembleError::Stopped | AssembleError::Other(_) => "see the system's log",
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// What the system says of a write on FAT beyond 4 GiB, and of a name on a file system that takes shorter ones.
    #[test]
    fn a_file_system_that_does_not_take_it_is_named_with_the_way_out() {
        for (errno, sentence) in [
            (rustix::io::Errno::FBIG, "does not take files of this size: put downloads elsewhere"),
            (rustix::io::Errno::NAMETOOLONG, "does not take a name of this kind: put downloads elsewhere"),
        ] {
            let failure = Failure::from(AssembleError::from(io::Error::from(errno)));
            assert!(failure.to_string().contains(sentence), "{failure}");
        }
    }
}
