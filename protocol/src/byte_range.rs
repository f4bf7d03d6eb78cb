//! RFC 9110 section 14: one byte range a request.
//!
//! A server may pass over any `Range` header, so everything that is not one well-formed range in bytes is
//! answered with the whole. 416 is for a well-formed range that the file has no byte of, and a range that
//! reaches beyond the end is clamped to it.

use std::{cmp::Ordering, ops::Range};

const UNIT: &str = "bytes";

/// What a `Range` header asks of a representation of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// No usable `Range`: the whole (200). Also several ranges, another unit, bad syntax.
    Whole,
    /// 206 with these bytes, clamped to the size.
    Part(ByteRange),
    /// 416.
    Unsatisfiable,
}

/// `first..=last`, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

impl ByteRange {
    /// `None` for an empty or reversed range.
    pub fn from_exclusive(range: Range<u64>) -> Option<Self> {
        (range.start < range.end).then(|| Self { first: range.start, last: range.end - 1 })
    }
    pub fn exclusive(&self) -> Range<u64> {
        // Both ways of making one put `last` below a `u64`.
        self.first..self.last + 1
    }
    /// `bytes=FIRST-LAST`
    pub fn to_range_header(&self) -> String {
        format!("{UNIT}={}-{}", self.first, self.last)
    }
    /// `bytes FIRST-LAST/SIZE`
    pub fn to_content_range(&self, size: u64) -> String {
        format!("{UNIT} {}-{}/{size}", self.first, self.last)
    }
    /// Parses `bytes FIRST-LAST/SIZE` (the complete length must be named).
    pub fn parse_content_range(header: &str) -> Option<(Self, u64)> {
        let (unit, range) = header.split_once(' ')?;
        let (range, size) = range.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last, size) = (exact(first)?, exact(last)?, exact(size)?);
        (unit.eq_ignore_ascii_case(UNIT) && first <= last && last < size)
            .then_some((Self { first, last }, size))
    }
}

/// `bytes */SIZE`: the `Content-Range` of a 416.
pub fn unsatisfied_content_range(size: u64) -> String {
    format!("{UNIT} */{size}")
}

/// Reads a `Range` header (`None`: there is none) for a representation of `size` bytes.
pub fn parse_range(header: Option<&str>, size: u64) -> RangeRequest {
    match header.and_then(single_spec) {
        Some(Spec::Int { first, last }) => ByteRange::from_exclusive(first..last.saturating_add(1).min(size))
            .map_or(RangeRequest::Unsatisfiable, RangeRequest::Part),
        Some(Spec::Suffix { length: 0 }) => RangeRequest::Unsatisfiable,
        // The last bytes of an empty file are the whole of it: satisfiable, but no 206 can say it.
        Some(Spec::Suffix { length }) => ByteRange::from_exclusive(size.saturating_sub(length)..size)
            .map_or(RangeRequest::Whole, RangeRequest::Part),
        None => RangeRequest::Whole,
    }
}

/// One `range-spec`, its numbers clamped to what a `u64` holds.
enum Spec {
    /// From `first` to `last` inclusive, which is `u64::MAX` where it was left out.
    Int { first: u64, last: u64 },
    /// The last `length` bytes.
    Suffix { length: u64 },
}

/// The one range of a header in bytes; `None` when there are several, or the syntax is not that of section 14.
fn single_spec(header: &str) -> Option<Spec> {
    let (unit, set) = header.split_once('=')?;
    // Empty elements of a list are passed over (section 5.6.1.2).
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return None };
    let (first, last) = spec.split_once('-')?;
    if !unit.eq_ignore_ascii_case(UNIT) {
        return None;
    }
    match (first, last) {
        ("", length) => Some(Spec::Suffix { length: clamped(length)? }),
        (first, "") => Some(Spec::Int { first: clamped(first)?, last: u64::MAX }),
        (first, last) => {
            let spec = Spec::Int { first: clamped(first)?, last: clamped(last)? };
            // A reversed range is bad syntax, not an unsatisfiable one.
            (compare(first, last) != Ordering::Greater).then_some(spec)
        }
    }
}

/// `1*DIGIT` as a number, `u64::MAX` when it is larger.
fn clamped(digits: &str) -> Option<u64> {
    is_number(digits).then(|| digits.parse().unwrap_or(u64::MAX))
}

/// `1*DIGIT` as a number, where it fits.
fn exact(digits: &str) -> Option<u64> {
    if is_number(digits) { digits.parse().ok() } else { None }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Compares numbers of any length by their digits.
fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ByteRange, RangeRequest, parse_range};

    fn part(first: u64, last: u64) -> RangeRequest {
        RangeRequest::Part(ByteRange { first, last })
    }

    #[test]
    fn a_header_is_read_as_rfc_9110_says() {
        let whole = RangeRequest::Whole;
        let unsatisfiable = RangeRequest::Unsatisfiable;
        for (header, size, expected) in [
            ("bytes=0-499", 10_000, part(0, 499)),
            ("bytes=500-999", 10_000, part(500, 999)),
            ("bytes=-500", 10_000, part(9_500, 9_999)),
            ("bytes=9500-", 10_000, part(9_500, 9_999)),
            ("bytes=0-0", 10_000, part(0, 0)),
            ("bytes=-1", 10_000, part(9_999, 9_999)),
            ("BYTES=0-1", 10, part(0, 1)),
            ("bytes=007-8", 10, part(7, 8)),
            ("bytes= \t0-1 ", 10, part(0, 1)),
            ("bytes=,,0-1,", 10, part(0, 1)),
            // Clamped, however long the number.
            ("bytes=3-99", 10, part(3, 9)),
            ("bytes=3-99999999999999999999999", 10, part(3, 9)),
            ("bytes=-11", 10, part(0, 9)),
            ("bytes=-99999999999999999999999", 10, part(0, 9)),
            ("bytes=0-18446744073709551615", u64::MAX, part(0, u64::MAX - 1)),
            // No byte of it is there.
            ("bytes=10-", 10, unsatisfiable),
            ("bytes=10-20", 10, unsatisfiable),
            ("bytes=99999999999999999999998-99999999999999999999999", 10, unsatisfiable),
            ("bytes=-0", 10, unsatisfiable),
            ("bytes=0-", 0, unsatisfiable),
            ("bytes=0-0", 0, unsatisfiable),
            ("bytes=-0", 0, unsatisfiable),
            ("bytes=-5", 0, whole),
            // Several ranges, another unit, bad syntax.
            ("bytes=0-1,4-5", 10, whole),
            ("bytes=0-1,x", 10, whole),
            ("lines=0-1", 10, whole),
            ("bytes=5-3", 10, whole),
            ("bytes=99999999999999999999999-99999999999999999999998", 10, whole),
            ("bytes=", 10, whole),
            ("bytes=,", 10, whole),
            ("bytes=-", 10, whole),
            ("bytes=--1", 10, whole),
            ("bytes=+1-2", 10, whole),
            ("bytes=1 - 2", 10, whole),
            ("bytes=a-b", 10, whole),
            ("bytes=1", 10, whole),
            ("bytes = 0-1", 10, whole),
            ("bytes 0-1", 10, whole),
            ("bytes=٣-٤", 10, whole),
            ("", 10, whole),
        ] {
            assert_eq!(parse_range(Some(header), size), expected, "{header} of {size}");
        }
        assert_eq!(parse_range(None, 10), whole);
    }

    #[test]
    fn a_content_range_names_its_complete_length() {
        let range = ByteRange { first: 2, last: 4 };
        for header in ["bytes 2-4/10", "Bytes 02-4/10"] {
            assert_eq!(ByteRange::parse_content_range(header), Some((range, 10)), "{header}");
        }
        for header in [
            "bytes 2-4/*",
            "bytes */10",
            "bytes 2-4",
            "bytes 4-2/10",
            "bytes 2-10/10",
            "bytes 2-4/4",
            "lines 2-4/10",
            "bytes=2-4/10",
            "bytes +2-4/10",
            "bytes 2-4/99999999999999999999999",
            "bytes  2-4/10",
            "bytes 2-4/10 ",
            "",
        ] {
            assert_eq!(ByteRange::parse_content_range(header), None, "{header}");
        }
    }

    /// Chooses byte by byte whether it is asked for.
    fn model(first: Option<u64>, last: Option<u64>, size: u64) -> RangeRequest {
        let asked: Vec<u64> = (0..size)
            .filter(|&byte| match (first, last) {
                (Some(first), last) => byte >= first && last.is_none_or(|last| byte <= last),
                (None, Some(suffix)) => byte + suffix >= size,
                (None, None) => false,
            })
            .collect();
        match (first, last, &asked[..]) {
            (None, None, _) => RangeRequest::Whole,
            (Some(first), Some(last), _) if last < first => RangeRequest::Whole,
            (None, Some(suffix), []) if suffix > 0 => RangeRequest::Whole,
            (_, _, []) => RangeRequest::Unsatisfiable,
            (_, _, [first, .., last]) => part(*first, *last),
            (_, _, [only]) => part(*only, *only),
        }
    }

    proptest! {
        #[test]
        fn a_range_is_the_bytes_that_the_model_chooses(
            first in proptest::option::of(0u64..40),
            last in proptest::option::of(0u64..40),
            size in 0u64..32,
        ) {
            let digits = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let header = format!("bytes={}-{}", digits(first), digits(last));
            prop_assert_eq!(parse_range(Some(&header), size), model(first, last, size));
        }

        #[test]
        fn any_text_is_read_without_a_panic_and_stays_within_the_size(
            header in "(bytes)?[=, 0-9*/a-z-]{0,30}", size in any::<u64>(),
        ) {
            if let RangeRequest::Part(range) = parse_range(Some(&header), size) {
                let exclusive = range.exclusive();
                prop_assert!(exclusive.start < exclusive.end && exclusive.end <= size);
            }
            let _ = ByteRange::parse_content_range(&header);
        }

        #[test]
        fn what_is_written_is_read_back(first in any::<u64>(), length in 1u64.., beyond in any::<u64>()) {
            let end = first.saturating_add(length);
            let size = end.saturating_add(beyond);
            if let Some(range) = ByteRange::from_exclusive(first..end) {
                prop_assert_eq!(range.exclusive(), first..end);
                prop_assert_eq!(parse_range(Some(&range.to_range_header()), size), RangeRequest::Part(range));
                let content_range = range.to_content_range(size);
                prop_assert_eq!(ByteRange::parse_content_range(&content_range), Some((range, size)));
            }
        }
    }
}
