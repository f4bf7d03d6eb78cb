//! RFC 9110 section 14: one byte range a request.

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
    pub fn from_exclusive(_range: std::ops::Range<u64>) -> Option<Self> {
        todo!()
    }
    pub fn exclusive(&self) -> std::ops::Range<u64> {
        todo!()
    }
    /// `bytes=FIRST-LAST`
    pub fn to_range_header(&self) -> String {
        todo!()
    }
    /// `bytes FIRST-LAST/SIZE`
    pub fn to_content_range(&self, _size: u64) -> String {
        todo!()
    }
    /// Parses `bytes FIRST-LAST/SIZE` (the complete length must be named).
    pub fn parse_content_range(_header: &str) -> Option<(Self, u64)> {
        todo!()
    }
}

pub fn parse_range(_header: Option<&str>, _size: u64) -> RangeRequest {
    todo!()
}
