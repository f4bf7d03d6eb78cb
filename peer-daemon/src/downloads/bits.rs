//! A bit for each of many, the first in the lowest bit of the first byte: how it is kept which of them are there.

pub(super) fn pack(flags: &[bool]) -> Vec<u8> {
    let byte = |flags: &[bool]| flags.iter().rev().fold(0_u8, |byte, &is_set| byte << 1 | u8::from(is_set));
    flags.chunks(8).map(byte).collect()
}

/// So many of them; bits beyond are passed over, and missing ones are not set.
pub(super) fn unpack(bytes: &[u8], count: usize) -> Vec<bool> {
    let is_set = |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
    (0..count).map(is_set).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_is_the_lowest_bit() {
        assert_eq!(pack(&[true, false, true]), [0b101]);
        assert_eq!(unpack(&[0b101], 12)[..4], [true, false, true, false]);
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(flags: Vec<bool>, more: Vec<u8>) {
            let packed = [pack(&flags), more].concat();
            prop_assert_eq!(unpack(&packed, flags.len()), flags);
        }
    }
}
