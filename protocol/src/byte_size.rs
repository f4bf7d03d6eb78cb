//! Sizes as people read them, the same wherever a sentence or a table names one.

use std::fmt;

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `512 B`, `1.5 KiB`, `300 MiB`: three digits at most before it is rounded to whole ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        // In tenths of a unit, in whole numbers: a float would round 1023.99 MiB to "1024 MiB".
        let mut tenths = u128::from(self.0) * 10 / 1024;
        let mut unit = 0;
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths /= 1024;
            unit += 1;
        }
        if tenths < 1000 {
            write!(f, "{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
        } else {
            write!(f, "{} {}", tenths / 10, UNITS[unit])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    /// The web page keeps to them, too.
    const EXAMPLES: &str = include_str!("../examples/byte_sizes.json");

    #[test]
    fn sizes_are_short_and_never_rounded_up() {
        let examples: Vec<(u64, String)> = serde_json::from_str(EXAMPLES).unwrap();
        assert!(examples.len() > 10);
        for (bytes, text) in examples {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
        assert_eq!(ByteSize(u64::MAX).to_string(), "15.9 EiB");
    }
}
