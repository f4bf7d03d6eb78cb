//! What happens to a download, one step at a time: the one place where steps become words and sentences.

use protocol::{
    control::{Cause, DownloadState, Route},
    introduction::QueueReason,
};
use serde::{Deserialize, Serialize};

use super::setback::{DialTrouble, Setback};

/// Kept in the state as it is written here: names and fields stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Step {
    Added,
    Paused,
    Resumed,
    Retried,
    Cancelled,
    /// The disk does not take it.
    Held {
        sentence: String,
        cause: Cause,
    },
    /// The disk takes it again.
    Released,
    /// The daemon ended while it was under way, and was started again.
    Restarted,
    /// The introduction goes out.
    Asked,
    Queued {
        position: u32,
        reason: QueueReason,
    },
    /// Another source has the file, and is asked beside the one whose place is kept.
    AskedElsewhere,
    /// A place there, and not a better one.
    PlaceElsewhere {
        position: u32,
        reason: QueueReason,
    },
    NothingElsewhere {
        why: Setback,
    },
    /// In this source's queue, for another source.
    PlaceLeft,
    Accepted,
    ToldToDial,
    DialFailed {
        how: DialTrouble,
    },
    /// A stream is there, and its key was right.
    Connected {
        way: Way,
    },
    /// The download slot is taken.
    Deferred,
    Seeking,
    SourceFound,
    /// The stream ended before its turn came.
    NotReached,
    /// What was written is looked at, before anybody is asked.
    Checking,
    /// The listing of a folder came.
    Listed {
        files: u64,
    },
    Transferring,
    Verifying,
    Finished,
    Setback(Setback),
    /// Nobody else has the file, or gives it; `last` is why the last one did not.
    NoSourceFound {
        last: Setback,
    },
    /// Nothing came for too long.
    GivenUp {
        after_seconds: u64,
        last: Setback,
    },
    OwnTrouble {
        sentence: String,
        cause: Cause,
    },
    /// From before steps were kept.
    Told {
        sentence: Option<String>,
        cause: Option<Cause>,
    },
}

/// Who dialled whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// The source dialled this peer.
    DialBack,
    /// This peer dialled the source.
    Dialled,
}

impl From<Way> for Route {
    fn from(way: Way) -> Self {
        match way {
            Way::DialBack => Self::DialBack,
            Way::Dialled => Self::DialMe,
        }
    }
}

impl Step {
    /// The state that a download is in after this step. None where that is to be decided first.
    pub(crate) fn state(&self) -> Option<DownloadState> {
        Some(match self {
            Self::Added
            | Self::Resumed
            | Self::Retried
            | Self::Released
            | Self::Restarted
            | Self::SourceFound
            | Self::NotReached => DownloadState::Queued,
            Self::Paused => DownloadState::Paused,
            Self::Cancelled => DownloadState::Cancelled,
            Self::Checking
            | Self::Asked
            | Self::Accepted
            | Self::ToldToDial
            | Self::DialFailed { .. }
            | Self::Connected { .. }
            | Self::Seeking => DownloadState::Requesting,
            Self::Queued { .. } | Self::Deferred => DownloadState::Waiting,
            Self::Listed { .. } | Self::Transferring => DownloadState::Transferring,
            Self::Verifying => DownloadState::Verifying,
            Self::Finished => DownloadState::Finished,
            Self::Held { .. }
            | Self::AskedElsewhere
            | Self::PlaceElsewhere { .. }
            | Self::NothingElsewhere { .. }
            | Self::PlaceLeft
            | Self::Setback(_)
            | Self::NoSourceFound { .. }
            | Self::GivenUp { .. }
            | Self::OwnTrouble { .. }
            | Self::Told { .. } => return None,
        })
    }

    /// Its name for programs, as it is kept.
    pub(crate) fn word(&self) -> String {
        let kept = serde_json::to_value(self).unwrap_or_default();
        let name = kept.get("setback").or_else(|| kept.get("step"));
        name.and_then(|name| name.as_str()).unwrap_or_default().to_owned()
    }

    /// Whether the source had a part in it.
    pub(crate) fn concerns_the_source(&self) -> bool {
        match self {
            Self::Paused
            | Self::Resumed
            | Self::Retried
            | Self::Cancelled
            | Self::Held { .. }
            | Self::Released
            | Self::Restarted
            | Self::Deferred
            | Self::Seeking
            | Self::NotReached
            | Self::Checking
            | Self::Verifying
            | Self::Finished
            | Self::NoSourceFound { .. }
            | Self::GivenUp { .. }
            | Self::OwnTrouble { .. } => false,
            Self::Setback(setback) => setback.concerns_the_source(),
            Self::Added
            | Self::Asked
            | Self::Queued { .. }
            | Self::AskedElsewhere
            | Self::PlaceElsewhere { .. }
            | Self::NothingElsewhere { .. }
            | Self::PlaceLeft
            | Self::Accepted
            | Self::ToldToDial
            | Self::DialFailed { .. }
            | Self::Connected { .. }
            | Self::SourceFound
            | Self::Listed { .. }
            | Self::Transferring
            | Self::Told { .. } => true,
        }
    }

    /// What a person reads.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Added => "you asked for it",
            Self::Paused => "you paused it",
            Self::Resumed => "you let it go on",
            Self::Retried => "you let it try again",
            Self::Cancelled => "you gave it up",
            Self::Released => "the disk takes it again",
            Self::Restarted => "the daemon was started again",
            Self::Asked => "the source is asked",
            Self::Queued { position, reason } => {
                return format!("place {position} in the source's queue: {}", queue_sentence(*reason));
            }
            Self::AskedElsewhere => "it has the file, too, and is asked; the place is kept",
            Self::PlaceElsewhere { position, reason } => {
                return format!(
                    "place {position} in its queue, which is no better: {}",
                    queue_sentence(*reason)
                );
            }
            Self::NothingElsewhere { why } => return format!("not from there: {why}"),
            Self::PlaceLeft => "the place in its queue is given up, for another source does better",
            Self::Accepted => "the source dials this peer",
            Self::ToldToDial => "the source could not reach this peer; it is dialled now",
            Self::DialFailed { how } => return format!("the source was dialled: {}", how.sentence()),
            Self::Connected { way: Way::DialBack } => "the source got through, and showed the right key",
            Self::Connected { way: Way::Dialled } => "the source was reached, and showed the right key",
            Self::Deferred => "another download is running",
            Self::Seeking => "looking for another source",
            Self::SourceFound => "this source has the file",
            Self::NotReached => "the stream ended before its turn came",
            Self::Checking => "checking what is on the disk",
            Self::Listed { files } => return format!("the listing came: {}", count_of_files(*files)),
            Self::Transferring => "pieces come",
            Self::Verifying => "all pieces are there; it is completed",
            Self::Finished => "it is there, and it is right",
            Self::Setback(setback) => return setback.to_string(),
            Self::NoSourceFound { .. } => "nobody else was found",
            Self::GivenUp { after_seconds, .. } => {
                return format!("given up after {} without a byte", time_span(*after_seconds));
            }
            Self::OwnTrouble { sentence, .. } | Self::Held { sentence, .. } => sentence.as_str(),
            Self::Told { sentence, .. } => sentence.as_deref().unwrap_or("from before steps were kept"),
        }
        .to_owned()
    }

    /// What stands beside the state in lists: nothing where the state says it all.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Added
            | Self::Paused
            | Self::Resumed
            | Self::Retried
            | Self::Cancelled
            | Self::Released
            | Self::Asked
            | Self::Connected { .. }
            | Self::NotReached
            | Self::Listed { .. }
            | Self::Transferring
            | Self::Verifying
            | Self::Finished => None,
            // The place has a field of its own.
            Self::Queued { reason, .. } => Some(queue_sentence(*reason).to_owned()),
            Self::Told { sentence, .. } => sentence.clone(),
            Self::NoSourceFound { last } | Self::GivenUp { last, .. } => {
                Some(format!("{last}; {}", self.sentence()))
            }
            Self::Restarted
            | Self::Accepted
            | Self::ToldToDial
            | Self::DialFailed { .. }
            | Self::Deferred
            | Self::Seeking
            | Self::SourceFound
            | Self::AskedElsewhere
            | Self::PlaceElsewhere { .. }
            | Self::NothingElsewhere { .. }
            | Self::PlaceLeft
            | Self::Checking
            | Self::Held { .. }
            | Self::Setback(_)
            | Self::OwnTrouble { .. } => Some(self.sentence()),
        }
    }

    /// Why it failed, where this is how it ended.
    pub(crate) fn cause(&self) -> Option<Cause> {
        match self {
            Self::Setback(setback)
            | Self::NoSourceFound { last: setback }
            | Self::GivenUp { last: setback, .. } => Some(setback.cause()),
            Self::OwnTrouble { cause, .. } | Self::Held { cause, .. } => Some(*cause),
            Self::Told { cause, .. } => *cause,
            _ => None,
        }
    }
}

/// `1,000 files`.
fn count_of_files(files: u64) -> String {
    format!("{} {}", grouped(files), if files == 1 { "file" } else { "files" })
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// In the greatest unit that it is a whole number of.
fn time_span(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let whole = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = whole.unwrap_or((1, "second"));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

fn queue_sentence(reason: QueueReason) -> &'static str {
    match reason {
        QueueReason::Busy => "the source is busy with another upload",
        QueueReason::Asking => "the source's owner is asked",
        QueueReason::UploadsOff => "the source gives nothing for now",
        QueueReason::Other => "the source lets this wait",
    }
}

#[cfg(test)]
mod tests {
    use protocol::introduction::DeclineReason;

    use super::*;

    #[test]
    fn a_listing_is_told_with_how_many_files_it_has() {
        let told = [1, 412, 1_000, 10_000].map(|files| Step::Listed { files }.sentence());
        let expected = ["1 file", "412 files", "1,000 files", "10,000 files"];
        assert_eq!(told, expected.map(|files| format!("the listing came: {files}")));
    }

    #[test]
    fn how_long_it_was_tried_is_told_in_the_greatest_unit() {
        let told = |after_seconds| Step::GivenUp { after_seconds, last: Setback::NoWord }.sentence();
        let spans = [1, 59, 60, 90, 7_200, 5_400, 86_400, 172_800, 90_000].map(told);
        let expected = [
            "1 second",
            "59 seconds",
            "1 minute",
            "90 seconds",
            "2 hours",
            "90 minutes",
            "1 day",
            "2 days",
            "25 hours",
        ];
        assert_eq!(spans, expected.map(|span| format!("given up after {span} without a byte")));
    }

    #[test]
    fn a_step_is_kept_under_its_word_and_read_back() {
        let why = Box::new(Setback::Refused { what: "no".to_owned() });
        let lacking = Setback::FilesLacking { files: 2, path: "a/b".to_owned(), why };
        for (step, word) in [
            (Step::Asked, "asked"),
            (Step::Queued { position: 3, reason: QueueReason::Asking }, "queued"),
            (Step::DialFailed { how: DialTrouble::TimedOut }, "dial_failed"),
            (Step::NothingElsewhere { why: Setback::NoWord }, "nothing_elsewhere"),
            (
                Step::Setback(Setback::Declined { reason: DeclineReason::QueueFull, version: None }),
                "declined",
            ),
            (Step::Setback(Setback::NoWord), "no_word"),
            (Step::Listed { files: 3 }, "listed"),
            (Step::Setback(lacking), "files_lacking"),
            (Step::Told { sentence: None, cause: None }, "told"),
        ] {
            assert_eq!(step.word(), word);
            let kept = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<Step>(&kept).unwrap(), step, "{kept}");
        }
    }
}
