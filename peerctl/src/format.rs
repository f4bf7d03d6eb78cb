//! Numbers in words that people read.

use protocol::{
    byte_size::ByteSize,
    control::{Download, DownloadState, Origin, UploadState},
};

pub(crate) fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// Where a value comes from.
pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File => "file",
        Origin::RunTime => "config set",
        Origin::Environment => "environment",
        Origin::Flag => "flag",
    }
}

pub(crate) fn speed(bytes_per_second: u64) -> String {
    format!("{}/s", size(bytes_per_second))
}

/// `0:07`, `12:30`, `2:03:00`.
pub(crate) fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

/// Rounded down, so that 100 % means all of it.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 100 } else { u128::from(part.min(whole)) * 100 / u128::from(whole) };
    format!("{percent}%")
}

pub(crate) fn download_state(state: DownloadState) -> &'static str {
    match state {
        DownloadState::Queued => "queued",
        DownloadState::Requesting => "requesting",
        DownloadState::Waiting => "waiting",
        DownloadState::Transferring => "transferring",
        DownloadState::Verifying => "verifying",
        DownloadState::Finished => "finished",
        DownloadState::Paused => "paused",
        DownloadState::Failed => "failed",
        DownloadState::Cancelled => "cancelled",
    }
}

pub(crate) fn upload_state(state: UploadState) -> &'static str {
    match state {
        UploadState::Queued => "queued",
        UploadState::Dialling => "dialling",
        UploadState::Transferring => "transferring",
        UploadState::Finished => "finished",
        UploadState::Failed => "failed",
    }
}

/// A state with what there is to know about it: `waiting, place 2: the upload slot is taken`.
pub(crate) fn state_with_reason(state: &str, position: Option<u32>, reason: Option<&str>) -> String {
    let place = position.map(|position| format!(", place {position}")).unwrap_or_default();
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{state}{place}{reason}")
}

pub(crate) fn state_of(download: &Download) -> String {
    state_with_reason(download_state(download.state), download.position, download.reason.as_deref())
}

#[cfg(test)]
mod tests {
    use super::{duration, percent, size, speed, state_with_reason};
    use proptest::prelude::*;

    #[test]
    fn times_and_parts() {
        assert_eq!(speed(2048), "2.0 KiB/s");
        assert_eq!([0, 7, 750, 7380].map(duration), ["0:00", "0:07", "12:30", "2:03:00"]);
        assert_eq!(percent(999, 1000), "99%");
        assert_eq!(percent(0, 0), "100%");
        assert_eq!(percent(5, 3), "100%");
        assert_eq!(state_with_reason("waiting", Some(2), Some("busy")), "waiting, place 2: busy");
    }

    proptest! {
        #[test]
        fn a_size_fits_its_column(bytes: u64) {
            prop_assert!(size(bytes).len() <= 8);
        }
    }
}
