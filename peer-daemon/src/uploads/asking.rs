//! How much may wait for a person's word.
//!
//! Those that ask are listed with all their files: peerctl reads it whole, and the web page gets it again with each
//! change. Two hundred introductions of a thousand files each, with the longest names, would be 75 MB of it, and what
//! twenty usernames can send in a minute. So what is listed is bounded in bytes, and not by the number of places alone.
//!
//! Pure.

/// In all. A person answers some of them, and no browser shows more.
const BYTES_MAX: usize = 8 << 20;
/// Of these, for one username: as many introductions as it may have waiting, each of a thousand files with names of a
/// common length.
const BYTES_PER_USERNAME_MAX: usize = 2 << 20;
/// Less than this, some hundred files, always has room: otherwise four usernames were enough to shut out all others.
/// The number of places bounds what it comes to, 3 MiB.
const BYTES_SMALL: usize = 16 << 10;

/// Whether an introduction that takes so many `bytes` to list may wait beside the others, which are told with whether
/// they are of the same username.
pub(super) fn has_room(bytes: usize, waiting: impl Iterator<Item = (bool, usize)>) -> bool {
    let (mut of_all, mut of_username) = (bytes, bytes);
    for (is_own, bytes) in waiting {
        of_all += bytes;
        of_username += if is_own { bytes } else { 0 };
    }
    bytes <= BYTES_SMALL || of_all <= BYTES_MAX && of_username <= BYTES_PER_USERNAME_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lets in what has room, as it comes: who, and how much.
    fn let_in(arrivals: &[(u8, usize)]) -> Vec<(u8, usize)> {
        let mut waiting: Vec<(u8, usize)> = Vec::new();
        for &(who, bytes) in arrivals {
            if has_room(bytes, waiting.iter().map(|&(other, bytes)| (other == who, bytes))) {
                waiting.push((who, bytes));
            }
        }
        waiting
    }

    proptest! {
        #[test]
        fn what_waits_is_bounded_and_nothing_small_is_refused(
            arrivals in prop::collection::vec((0..20_u8, prop_oneof![1..40_000_usize, 1..800_000_usize]), 0..200)
        ) {
            let waiting = let_in(&arrivals);
            let sum = |of: &dyn Fn(u8) -> bool| -> usize {
                waiting.iter().filter(|(who, bytes)| of(*who) && *bytes > BYTES_SMALL).map(|(_, bytes)| bytes).sum()
            };
            prop_assert!(sum(&|_| true) <= BYTES_MAX);
            prop_assert!((0..20).all(|who| sum(&|of| of == who) <= BYTES_PER_USERNAME_MAX));
            let small = |list: &[(u8, usize)]| list.iter().filter(|(_, bytes)| *bytes <= BYTES_SMALL).count();
            prop_assert_eq!(small(&waiting), small(&arrivals));
        }
    }

    #[test]
    fn ten_times_a_thousand_files_with_common_names_have_room_and_with_the_longest_not() {
        let (common, longest) = (200 * 1_000, 375 * 1_000);
        assert_eq!(let_in(&[(1, common); 10]).len(), 10);
        assert_eq!(let_in(&[(1, longest); 10]).len(), 5);
        let twenty: Vec<_> = (0..200).map(|n| (n / 10, longest)).collect();
        assert_eq!(let_in(&twenty).len(), 22, "in all");
    }
}
