//! How fast, as a person writes it: `500K`, `2M`, `0` or `unlimited` for as fast as it goes.

use std::{fmt, num::NonZeroU64, str::FromStr};

use protocol::control::UNLIMITED;
use serde::{Deserialize, Deserializer, de};

/// Twice what a stream must carry so as not to be set back as a slow one.
const RATE_MIN: u64 = 16 * 1024;
/// More than any link carries; the sums stay far from overflowing.
const RATE_MAX: u64 = 1 << 40;
const UNITS: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

/// Bytes a second; none where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByteRate(pub Option<NonZeroU64>);

impl ByteRate {
    fn new(bytes_per_second: u64) -> Result<Self, String> {
        match NonZeroU64::new(bytes_per_second) {
            Some(rate) if rate.get() < RATE_MIN => {
                Err("a stream slower than 16K a second counts as stuck at the other side; 0 is no limit"
                    .to_owned())
            }
            Some(rate) if rate.get() > RATE_MAX => Err("at most 1024G a second; 0 is no limit".to_owned()),
            rate => Ok(Self(rate)),
        }
    }
}

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected bytes a second, such as 500K, 2M or 0 for no limit".to_owned();
        if text == UNLIMITED {
            return Ok(Self(None));
        }
        let unit = UNITS.into_iter().find(|(letter, _)| text.to_ascii_uppercase().ends_with(*letter));
        let (digits, factor) = unit.map_or((text, 1), |(_, factor)| (&text[..text.len() - 1], factor));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        Self::new(number.saturating_mul(factor))
    }
}

/// In the largest unit that says it exactly; scripts know no limit as 0.
impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.0.map_or(0, NonZeroU64::get);
        match UNITS.into_iter().find(|(_, factor)| rate > 0 && rate.is_multiple_of(*factor)) {
            Some((letter, factor)) => write!(f, "{}{letter}", rate / factor),
            None => rate.fmt(f),
        }
    }
}

/// A number of bytes, or text as above.
impl<'de> Deserialize<'de> for ByteRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected bytes a second, such as \"500K\", \"2M\" or 0 for no limit")]
        enum Written {
            Number(u64),
            Text(String),
        }
        let rate = match Written::deserialize(deserializer)? {
            Written::Number(bytes_per_second) => Self::new(bytes_per_second),
            Written::Text(text) => text.parse(),
        };
        rate.map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ByteRate, RATE_MAX, RATE_MIN};

    #[test]
    fn a_rate_is_written_with_a_unit_or_without() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("0M", 0, "0"),
            ("unlimited", 0, "0"),
            ("500K", 512_000, "500K"),
            ("2m", 2 << 20, "2M"),
            ("1024K", 1 << 20, "1M"),
            ("3G", 3 << 30, "3G"),
            ("20001", 20_001, "20001"),
        ] {
            let rate: ByteRate = text.parse().unwrap();
            assert_eq!(rate.0.map_or(0, std::num::NonZeroU64::get), bytes, "{text}");
            assert_eq!(rate.to_string(), shown);
        }
        for text in
            ["", "K", "-1", "+5M", "1.5M", "2 M", "2MB", "fast", "15K", "1", "2000G", "99999999999999999999"]
        {
            assert!(text.parse::<ByteRate>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes in RATE_MIN..=RATE_MAX) {
            let rate = ByteRate::new(bytes).unwrap();
            prop_assert_eq!(rate.to_string().parse::<ByteRate>().unwrap(), rate);
        }
    }
}
