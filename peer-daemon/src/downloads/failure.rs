//! Why a download could not go on: for the person a sentence, for programs a cause.

use protocol::{control::Cause, introduction::DeclineReason, problem::Code};
use thiserror::Error;

use super::{assemble::AssembleError, disk_trouble::DiskTrouble};
use crate::{coordinator_link::CallError, peer_stream::client::StreamError, state::StateError};

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("the source gave no word within 10 seconds; it has gone, or does not want to")]
    SourceGone,
    #[error(
        "neither side can be reached: open this peer's download port {download_port} for incoming TCP, or have \
         the source open its upload port"
    )]
    NeitherReachable { download_port: u16 },
    #[error("a dial-back showed a wrong message-key: it is not from the source, or someone stands between")]
    WrongKey,
    /// By the person, or the daemon ends.
    #[error("cancelled")]
    Cancelled,
    #[error("the source declined: {}", decline_sentence(*.0))]
    Declined(DeclineReason),
    #[error("the file is not at the source any more; search again")]
    FileGone,
    #[error("the file has changed at the source; search again for its new version")]
    SourceChanged,
    #[error("{source}")]
    StreamLost { source: StreamError },
    #[error("{tries} tries were in vain; the last: {last}. Try again later: peerctl retry")]
    TriesSpent { tries: u32, last: String },
    #[error("the source sent a piece twice that does not belong to the file")]
    WrongPiece,
    #[error("the source broke the protocol: {0}")]
    Protocol(StreamError),
    #[error("{source}: {}", disk_way_out(source))]
    Disk {
        #[from]
        source: AssembleError,
    },
    /// It passes: the download waits for it.
    #[error(transparent)]
    DiskTrouble(#[from] DiskTrouble),
    #[error(transparent)]
    Coordinator(#[from] CallError),
    #[error("the introduction could not be sealed; the source's key is not valid")]
    Seal,
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the disk's worker ended early")]
    Worker,
}

impl Failure {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::SourceGone => Cause::SourceGone,
            Self::NeitherReachable { .. } => Cause::NeitherReachable,
            Self::Declined(DeclineReason::FileGone) | Self::FileGone => Cause::FileGone,
            Self::Declined(DeclineReason::SourceChanged) | Self::SourceChanged => Cause::SourceChanged,
            Self::Declined(DeclineReason::VersionUnsupported) => Cause::VersionMismatch,
            Self::Declined(_) => Cause::Declined,
            Self::StreamLost { .. } | Self::TriesSpent { .. } => Cause::StreamLost,
            Self::WrongKey | Self::WrongPiece | Self::Protocol(_) | Self::Seal => Cause::Integrity,
            Self::Disk { source: AssembleError::NoSpace(_) } => Cause::NoSpace,
            Self::Disk { source: AssembleError::Permission(_) } => Cause::Permission,
            Self::DiskTrouble(trouble) => trouble.cause(),
            Self::Coordinator(CallError::RateLimited { .. }) => Cause::RateLimited,
            Self::Coordinator(CallError::NotConnected | CallError::Unreachable(_)) => {
                Cause::CoordinatorUnreachable
            }
            Self::Coordinator(CallError::Problem(_))
            | Self::Disk { .. }
            | Self::State(_)
            | Self::Worker
            | Self::Cancelled => Cause::Other,
        }
    }

    /// Whether the stream is still good for the next file.
    pub(crate) fn is_about_the_file(&self) -> bool {
        matches!(self, Self::FileGone | Self::SourceChanged)
    }

    /// What a refusal on the stream means for the file.
    pub(crate) fn from_stream(error: StreamError) -> Self {
        match &error {
            StreamError::Refused { code: Code::SourceChanged, .. } => Self::SourceChanged,
            StreamError::Refused { code: Code::FileGone, .. } => Self::FileGone,
            StreamError::Lost | StreamError::Idle => Self::StreamLost { source: error },
            StreamError::Handshake(_)
            | StreamError::Pin
            | StreamError::NotAccepted
            | StreamError::Refused { .. }
            | StreamError::Protocol(_) => Self::Protocol(error),
        }
    }
}

fn decline_sentence(reason: DeclineReason) -> &'static str {
    match reason {
        DeclineReason::Refused => "it does not give this file to you",
        DeclineReason::FileGone => "the file is not there any more; search again",
        DeclineReason::SourceChanged => "the file has changed there; search again",
        DeclineReason::QueueFull => "its queue is full; try again later",
        DeclineReason::AddressRefused => "it does not dial addresses like yours",
        DeclineReason::VersionUnsupported => {
            "it speaks another protocol version; update the older of the two"
        }
        DeclineReason::Other => "for a reason that this version does not know",
    }
}

fn disk_way_out(error: &AssembleError) -> &'static str {
    match error {
        AssembleError::NoSpace(_) => "make room and get it again",
        AssembleError::Permission(_) => "let this user write to the download folder and get it again",
        AssembleError::Gone(_) => "get it anew: peerctl retry",
        AssembleError::Other(_) => "see the system's log",
    }
}
