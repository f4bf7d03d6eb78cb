//! What can come in the way of a download: a sentence for the person, a cause for programs.
//!
//! A setback is about a source, or the way to it. Troubles of this machine are [`Failure`](super::failure)s.

use std::time::Duration;

use protocol::{
    Mismatch,
    control::Cause,
    introduction::DeclineReason,
    limits::{INTRODUCTION_WORD, ROUTE_HOLD, STREAM_IDLE},
    problem::Code,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::tried::Verdict;
use crate::{
    coordinator_link::CallError,
    dialler::DialFailed,
    peer_stream::{client::StreamError, dial::DialError},
};

/// Kept in the state as it is written here: names and fields stay.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "setback", rename_all = "snake_case")]
pub(crate) enum Setback {
    #[error(
        "the source gave no word within {} seconds; it has gone, or does not want to",
        INTRODUCTION_WORD.as_secs()
    )]
    NoWord,
    #[error(
        "the source was to dial this peer, and nothing came within {} seconds; it has gone, or is cut off",
        ROUTE_HOLD.as_secs()
    )]
    NoDialBack,
    #[error(
        "neither side can be reached: the source could not dial this peer, and when it was dialled, {}; open \
         this peer's download port {download_port} for incoming TCP, or have the source open its upload port",
        dial.sentence()
    )]
    NeitherReachable { download_port: u16, dial: DialTrouble },
    #[error("a dial-back showed a wrong message-key: it is not from the source, or someone stands between")]
    WrongKey,
    #[error("the source declined: {}", decline_sentence(*reason, *version))]
    Declined {
        reason: DeclineReason,
        /// The source's, where it is another one than ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
    #[error("the file is not at the source any more; search again")]
    FileGone,
    #[error("the file has changed at the source; search again for its new version")]
    SourceChanged,
    /// Between two responses, and with a goodbye: others wait, too.
    #[error("the source ended the stream, for others wait there, too")]
    StreamEnded,
    #[error("the stream broke off")]
    StreamLost,
    #[error("the source fell silent for {seconds} seconds in the middle of the stream")]
    StreamSilent {
        /// How long it was waited for; what was kept before that could be set has none.
        #[serde(default = "stream_idle_seconds")]
        seconds: u64,
    },
    #[error("the source sent next to nothing while another download waited")]
    StreamSlow,
    #[error("the source sent a piece twice that does not belong to the file")]
    WrongPiece,
    /// The others of its folder are there.
    #[error("{}: {why}", lacking_sentence(*files, path))]
    FilesLacking { files: u64, path: String, why: Box<Setback> },
    #[error("{path} came wrong twice; the other files are asked for over another stream")]
    FilePassedOver { path: String },
    #[error("what the source calls a folder is none: {why}")]
    NoListing { why: String },
    #[error("the source refused: {what}")]
    Refused { what: String },
    #[error("the source does not accept this peer's certificate")]
    NotAccepted,
    #[error("the source broke the protocol: {how}")]
    ProtocolBroken { how: String },
    #[error("the introduction could not be sealed; the source's key is not valid")]
    KeyNotValid,
    #[error("{problem}")]
    CoordinatorAway { problem: String },
    #[error("the coordinator wants fewer requests from this peer")]
    RateLimited { retry_after_seconds: u64 },
    #[error("the coordinator refused the introduction: {problem}")]
    CoordinatorRefused { problem: String },
}

/// What is to be done about a setback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing is wrong: the source is asked again, and keeps the place.
    Resume,
    /// The source may be there still: it is asked again, under the same introduction.
    AskAgain,
    /// Another source is looked for.
    Elsewhere(Verdict),
    /// The source has nothing to do with it: it is asked again later, after this pause at least.
    Later(Duration),
    /// Nobody can do anything about it.
    End,
}

/// Why this peer's dial to the source led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DialTrouble {
    Refused,
    TimedOut,
    Unreachable,
    /// The dial rules forbid the address.
    NotAllowed,
    /// Too many dials to the address ended in nothing.
    TooMany,
    /// Something else answers at the address.
    NotTheSource,
}

impl DialTrouble {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Refused => "it refused the connection",
            Self::TimedOut => "it did not answer in time",
            Self::Unreachable => "no way led to it",
            Self::NotAllowed => "its address is none that this peer may dial",
            Self::TooMany => "too many dials to its address had been in vain",
            Self::NotTheSource => "what answered was not the source",
        }
    }
}

impl From<&DialFailed> for DialTrouble {
    fn from(error: &DialFailed) -> Self {
        match error {
            DialFailed::Budget(_) => Self::TooMany,
            DialFailed::Dial(DialError::NotAllowed(_)) => Self::NotAllowed,
            DialFailed::Dial(DialError::Refused) => Self::Refused,
            DialFailed::Dial(DialError::TimedOut) => Self::TimedOut,
            DialFailed::Dial(DialError::Unreachable(_)) => Self::Unreachable,
        }
    }
}

impl Setback {
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::NoWord | Self::NoDialBack => Cause::SourceGone,
            Self::NeitherReachable { .. } => Cause::NeitherReachable,
            Self::Declined { reason: DeclineReason::FileGone, .. } | Self::FileGone => Cause::FileGone,
            Self::Declined { reason: DeclineReason::SourceChanged, .. } | Self::SourceChanged => {
                Cause::SourceChanged
            }
            Self::Declined { reason: DeclineReason::VersionUnsupported, .. } => Cause::VersionMismatch,
            Self::Declined { .. } | Self::Refused { .. } | Self::NotAccepted => Cause::Declined,
            Self::StreamEnded | Self::StreamLost | Self::StreamSilent { .. } | Self::StreamSlow => {
                Cause::StreamLost
            }
            Self::WrongKey
            | Self::WrongPiece
            | Self::FilePassedOver { .. }
            | Self::NoListing { .. }
            | Self::ProtocolBroken { .. }
            | Self::KeyNotValid => Cause::Integrity,
            Self::FilesLacking { why, .. } => why.cause(),
            Self::CoordinatorAway { .. } => Cause::CoordinatorUnreachable,
            Self::RateLimited { .. } => Cause::RateLimited,
            Self::CoordinatorRefused { .. } => Cause::Other,
        }
    }

    /// What is to be done about it. `had_stream`: whether there ever was a way to a source of the file.
    pub(crate) fn remedy(&self, had_stream: bool) -> Remedy {
        match self {
            Self::StreamEnded | Self::FilePassedOver { .. } => Remedy::Resume,
            Self::StreamLost => Remedy::AskAgain,
            Self::NoWord
            | Self::NoDialBack
            | Self::StreamSilent { .. }
            | Self::StreamSlow
            | Self::NotAccepted
            | Self::Declined { reason: DeclineReason::QueueFull, .. } => Remedy::Elsewhere(Verdict::NotNow),
            // What came before a crash of this peer may still be answered.
            Self::NeitherReachable { .. } | Self::WrongKey if had_stream => {
                Remedy::Elsewhere(Verdict::NotNow)
            }
            // Without a port that is opened by somebody, it will be no better.
            Self::NeitherReachable { .. }
            | Self::WrongKey
            | Self::Declined { .. }
            | Self::FileGone
            | Self::SourceChanged
            | Self::Refused { .. }
            | Self::KeyNotValid => Remedy::Elsewhere(Verdict::Refused),
            Self::WrongPiece | Self::ProtocolBroken { .. } => Remedy::Elsewhere(Verdict::Lied),
            Self::RateLimited { retry_after_seconds } => {
                Remedy::Later(Duration::from_secs(*retry_after_seconds))
            }
            Self::CoordinatorAway { .. } => Remedy::Later(Duration::ZERO),
            Self::FilesLacking { why, .. } => why.remedy(had_stream),
            // It is the very one that was asked for.
            Self::NoListing { .. } | Self::CoordinatorRefused { .. } => Remedy::End,
        }
    }

    pub(crate) fn is_for_lack_of_a_coordinator(&self) -> bool {
        matches!(self, Self::CoordinatorAway { .. })
    }

    /// Whether the source had a part in it, and not only the coordinator.
    pub(crate) fn concerns_the_source(&self) -> bool {
        !matches!(
            self,
            Self::CoordinatorAway { .. } | Self::RateLimited { .. } | Self::CoordinatorRefused { .. }
        )
    }

    /// Whether it ends the stream without saying anything about the file.
    pub(crate) fn is_about_the_stream(&self) -> bool {
        matches!(self, Self::StreamEnded | Self::StreamLost | Self::StreamSilent { .. } | Self::StreamSlow)
    }

    /// Whether the stream is still good for the next file.
    pub(crate) fn is_about_the_file(&self) -> bool {
        matches!(
            self,
            Self::FileGone | Self::SourceChanged | Self::FilesLacking { .. } | Self::NoListing { .. }
        )
    }
}

/// What a stream's error means for the file.
impl From<StreamError> for Setback {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Refused { code: Code::SourceChanged, .. } => Self::SourceChanged,
            StreamError::Refused { code: Code::FileGone, .. } => Self::FileGone,
            StreamError::Refused { code, .. } => Self::Refused { what: code.title().to_owned() },
            StreamError::Ended => Self::StreamEnded,
            StreamError::Lost => Self::StreamLost,
            StreamError::Idle { after } => Self::StreamSilent { seconds: after.as_secs() },
            StreamError::Slow => Self::StreamSlow,
            StreamError::NotAccepted => Self::NotAccepted,
            StreamError::Handshake(_) | StreamError::Pin => Self::ProtocolBroken { how: error.to_string() },
            StreamError::Protocol(how) => Self::ProtocolBroken { how: how.to_owned() },
        }
    }
}

impl From<CallError> for Setback {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotConnected | CallError::Unreachable(_) => {
                Self::CoordinatorAway { problem: error.to_string() }
            }
            CallError::RateLimited { retry_after } => {
                Self::RateLimited { retry_after_seconds: retry_after.as_secs() }
            }
            CallError::Problem(ref problem) => match problem.code {
                Code::Internal | Code::Draining | Code::TokenInvalid | Code::NameTokenInvalid => {
                    Self::CoordinatorAway { problem: error.to_string() }
                }
                _ => Self::CoordinatorRefused { problem: error.to_string() },
            },
        }
    }
}

fn stream_idle_seconds() -> u64 {
    STREAM_IDLE.as_secs()
}

fn lacking_sentence(files: u64, path: &str) -> String {
    if files == 1 {
        format!("{path} could not be had")
    } else {
        format!("{files} of the files could not be had, {path} among them")
    }
}

fn decline_sentence(reason: DeclineReason, version: Option<u32>) -> String {
    let sentence = match reason {
        DeclineReason::Refused => "it does not give this file to you",
        DeclineReason::FileGone => "the file is not there any more; search again",
        DeclineReason::SourceChanged => "the file has changed there; search again",
        DeclineReason::QueueFull => "its queue is full; try again later",
        DeclineReason::AddressRefused => "it does not dial addresses like yours",
        DeclineReason::VersionUnsupported => match version {
            Some(theirs) => return other_version(theirs),
            None => "it speaks another protocol version; update the older of the two",
        },
        DeclineReason::Other => "for a reason that this version does not know",
    };
    sentence.to_owned()
}

fn other_version(theirs: u32) -> String {
    let mismatch = Mismatch {
        us: "this peer-daemon",
        them: "it",
        theirs,
        if_we_are_older: "update this one, and start it again",
        if_they_are_older: "it can be asked once it is updated",
    };
    mismatch.to_string()
}

#[cfg(test)]
mod tests;
