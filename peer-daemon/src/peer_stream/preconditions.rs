//! What a file request comes to: the preconditions of RFC 9110, section 13.2.2, in their order, then the range.
//!
//! The root is the entity tag, and it is strong: equal roots (and sizes) are equal bytes. There are no
//! modification dates, so conditions by date don't count, and an `If-Range` with a date never matches.

use hyper::{
    HeaderMap, Method,
    header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE},
};
use protocol::byte_range::{ByteRange, RangeRequest, parse_range};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// 200
    Whole,
    /// 206
    Part(ByteRange),
    /// 304
    NotModified,
    /// 412
    Failed,
    /// 416
    Unsatisfiable,
}

/// Decides a GET or HEAD for an existing file of `size` bytes; `tag` is its root in hexadecimal.
pub(super) fn decide(method: &Method, headers: &HeaderMap, tag: &str, size: u64) -> Decision {
    // Step 1: strong comparison.
    let is_same = |listed: Tag<'_>| listed.is_any || (listed.opaque == tag && !listed.is_weak);
    if headers.contains_key(IF_MATCH) && !tags(headers, &IF_MATCH).any(is_same) {
        return Decision::Failed;
    }
    // Step 3: weak comparison; for GET and HEAD a match is 304.
    if tags(headers, &IF_NONE_MATCH).any(|listed| listed.is_any || listed.opaque == tag) {
        return Decision::NotModified;
    }
    // Step 5: a range counts for GET only, and only while `If-Range` names this very file.
    if method != Method::GET || !is_range_wanted(headers, tag) {
        return Decision::Whole;
    }
    match parse_range(single(headers, &RANGE), size) {
        RangeRequest::Whole => Decision::Whole,
        RangeRequest::Part(range) => Decision::Part(range),
        RangeRequest::Unsatisfiable => Decision::Unsatisfiable,
    }
}

fn is_range_wanted(headers: &HeaderMap, tag: &str) -> bool {
    !headers.contains_key(IF_RANGE)
        || single(headers, &IF_RANGE).and_then(next_tag).is_some_and(|(named, rest)| {
            rest.is_empty() && named.opaque == tag && !named.is_weak && !named.is_any
        })
}

/// The value of a header that must come once: several are as good as none.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()
}

/// One entity tag of a list, or `*`.
#[derive(Clone, Copy)]
struct Tag<'a> {
    opaque: &'a str,
    is_weak: bool,
    is_any: bool,
}

/// The tags of all headers of this name, each up to where its syntax breaks.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Tag<'a>> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|mut rest| {
        std::iter::from_fn(move || {
            let (tag, after) = next_tag(rest.trim_start_matches([' ', '\t', ',']))?;
            rest = after;
            Some(tag)
        })
    })
}

/// `[W/]"opaque"` or `*`, and what comes after. A quotation mark can't be part of a tag.
fn next_tag(text: &str) -> Option<(Tag<'_>, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((Tag { opaque: "", is_weak: false, is_any: true }, rest));
    }
    let (is_weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
    let (opaque, rest) = text.strip_prefix('"')?.split_once('"')?;
    Some((Tag { opaque, is_weak, is_any: false }, rest))
}

#[cfg(test)]
mod tests {
    use hyper::{HeaderMap, Method, header::HeaderName};
    use proptest::prelude::*;
    use protocol::byte_range::ByteRange;

    use super::{Decision, decide};

    const TAG: &str = "a1b2";
    const SIZE: u64 = 100;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let parse =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        lines.iter().map(parse).collect()
    }
    fn part(range: std::ops::Range<u64>) -> Decision {
        Decision::Part(ByteRange::from_exclusive(range).unwrap())
    }

    /// Pitfall 9: the whole table of section 13.2.2, each condition true, false and absent, and their order.
    #[test]
    fn preconditions_count_in_the_order_of_rfc_9110() {
        const MATCH: (&str, &str) = ("if-match", "\"a1b2\"");
        const MISMATCH: (&str, &str) = ("if-match", "\"other\"");
        const NONE_MATCH: (&str, &str) = ("if-none-match", "\"a1b2\"");
        const NONE_MISMATCH: (&str, &str) = ("if-none-match", "\"other\"");
        const RANGE: (&str, &str) = ("range", "bytes=10-19");
        const BEYOND: (&str, &str) = ("range", "bytes=100-");
        const SAME: (&str, &str) = ("if-range", "\"a1b2\"");
        const CHANGED: (&str, &str) = ("if-range", "\"other\"");
        let table: &[(&[(&str, &str)], Decision)] = &[
            (&[], Decision::Whole),
            (&[RANGE], part(10..20)),
            (&[BEYOND], Decision::Unsatisfiable),
            // Step 1.
            (&[MATCH], Decision::Whole),
            (&[MISMATCH], Decision::Failed),
            (&[("if-match", "*")], Decision::Whole),
            (&[("if-match", "W/\"a1b2\"")], Decision::Failed),
            (&[("if-match", "\"other\", \"a1b2\"")], Decision::Whole),
            (&[MISMATCH, MATCH], Decision::Whole),
            (&[("if-match", "a1b2")], Decision::Failed),
            (&[("if-match", "")], Decision::Failed),
            // Step 2 has no dates to go by.
            (&[("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT")], Decision::Whole),
            // Step 3, after step 1.
            (&[NONE_MATCH], Decision::NotModified),
            (&[NONE_MISMATCH], Decision::Whole),
            (&[("if-none-match", "*")], Decision::NotModified),
            (&[("if-none-match", "W/\"a1b2\"")], Decision::NotModified),
            (&[("if-none-match", "\"x,y\" , \"a1b2\"")], Decision::NotModified),
            (&[MATCH, NONE_MATCH], Decision::NotModified),
            (&[MISMATCH, NONE_MATCH], Decision::Failed),
            (&[MISMATCH, NONE_MISMATCH], Decision::Failed),
            (&[MATCH, NONE_MISMATCH], Decision::Whole),
            // Step 4 has no dates to go by.
            (&[("if-modified-since", "Sat, 29 Oct 2044 19:43:31 GMT")], Decision::Whole),
            // Step 5, after the others.
            (&[RANGE, SAME], part(10..20)),
            (&[RANGE, CHANGED], Decision::Whole),
            (&[RANGE, ("if-range", "W/\"a1b2\"")], Decision::Whole),
            (&[RANGE, ("if-range", "*")], Decision::Whole),
            (&[RANGE, ("if-range", "\"a1b2\", \"b\"")], Decision::Whole),
            (&[RANGE, ("if-range", "Sat, 29 Oct 1994 19:43:31 GMT")], Decision::Whole),
            (&[RANGE, SAME, SAME], Decision::Whole),
            (&[SAME], Decision::Whole),
            (&[CHANGED], Decision::Whole),
            (&[BEYOND, SAME], Decision::Unsatisfiable),
            (&[BEYOND, CHANGED], Decision::Whole),
            (&[MISMATCH, RANGE, SAME], Decision::Failed),
            (&[NONE_MATCH, RANGE, SAME], Decision::NotModified),
            (&[MATCH, RANGE, SAME], part(10..20)),
            (&[MATCH, NONE_MISMATCH, RANGE, SAME], part(10..20)),
            (&[MATCH, BEYOND], Decision::Unsatisfiable),
            (&[MISMATCH, BEYOND], Decision::Failed),
            (&[NONE_MATCH, BEYOND], Decision::NotModified),
            // One range a request.
            (&[RANGE, RANGE], Decision::Whole),
            (&[("range", "bytes=0-1,5-6")], Decision::Whole),
            (&[("range", "bytes=90-200")], part(90..100)),
        ];
        for (lines, expected) in table {
            assert_eq!(decide(&Method::GET, &headers(lines), TAG, SIZE), *expected, "GET {lines:?}");
            let for_head = match *expected {
                Decision::Part(_) | Decision::Unsatisfiable => Decision::Whole,
                other => other,
            };
            assert_eq!(decide(&Method::HEAD, &headers(lines), TAG, SIZE), for_head, "HEAD {lines:?}");
        }
    }

    proptest! {
        /// A range is never given for another version than the one that `If-Range` names.
        #[test]
        fn no_part_of_another_version(if_range in "[ -~]{0,12}", range in "bytes=[0-9]{0,3}-[0-9]{0,3}") {
            let lines = headers(&[("if-range", if_range.as_str()), ("range", range.as_str())]);
            let decision = decide(&Method::GET, &lines, TAG, SIZE);
            prop_assert!(decision == Decision::Whole || if_range.trim() == "\"a1b2\"", "{decision:?}");
        }
    }
}
