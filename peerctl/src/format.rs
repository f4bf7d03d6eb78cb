//! Numbers in words that people read.

use protocol::{SafeName, byte_size::ByteSize, control::Origin};

pub(crate) fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// A folder among files, with how many it holds.
pub(crate) fn folder(name: &SafeName, files: u64) -> String {
    format!("{name}/ ({})", self::files(files))
}

/// `1,000 files`.
pub(crate) fn files(count: u64) -> String {
    counted(count, "file", "files")
}

/// So many of a thing: `1 file`, `1,000 files`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// With a comma before each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
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

/// How long a step took: `320 ms`, `4.1 s`, `12:30`.
pub(crate) fn lasted(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds / 100 % 10),
        _ => duration(milliseconds / 1_000),
    }
}

/// Rounded down, so that 100 % means all of it.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 100 } else { u128::from(part.min(whole)) * 100 / u128::from(whole) };
    format!("{percent}%")
}

#[cfg(test)]
mod tests {
    use super::{duration, files, lasted, percent, size, speed};
    use proptest::prelude::*;

    #[test]
    fn times_and_parts() {
        assert_eq!([1, 412, 10_000].map(files), ["1 file", "412 files", "10,000 files"]);
        assert_eq!(speed(2048), "2.0 KiB/s");
        assert_eq!([0, 7, 750, 7380].map(duration), ["0:00", "0:07", "12:30", "2:03:00"]);
        assert_eq!([999, 1_000, 59_999, 60_000].map(lasted), ["999 ms", "1.0 s", "59.9 s", "1:00"]);
        assert_eq!(percent(999, 1000), "99%");
        assert_eq!(percent(0, 0), "100%");
        assert_eq!(percent(5, 3), "100%");
    }

    proptest! {
        #[test]
        fn a_size_fits_its_column(bytes: u64) {
            prop_assert!(size(bytes).len() <= 8);
        }
    }
}
