//! Which pieces of a file are still to be fetched, and in what order.
//!
//! Pure: the fetcher asks for the next run, tells what became of each piece, and the plan keeps the account.

use std::{collections::BTreeSet, ops::Range};

use protocol::FileId;

use super::bits;

/// The pieces of one download.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    file: FileId,
    verified: Vec<bool>,
    received: u64,
    /// Pieces that came wrong once from the present source.
    suspect: BTreeSet<u64>,
}

/// What follows from a wrong piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrongPiece {
    /// It may have been an accident: it is asked for once more.
    FetchAgain,
    /// Twice wrong is no accident.
    DropSource,
}

impl Plan {
    pub(crate) fn new(file: FileId) -> Self {
        let pieces = usize::try_from(file.piece_count()).unwrap_or(usize::MAX);
        Self { file, verified: vec![false; pieces], received: 0, suspect: BTreeSet::new() }
    }

    /// Takes up an earlier account, as [`Self::verified_bits`] gave it. Bits beyond the file are passed over.
    pub(crate) fn restore(file: FileId, verified_bits: &[u8]) -> Self {
        let mut plan = Self::new(file);
        for (index, is_verified) in (0..).zip(bits::unpack(verified_bits, plan.verified.len())) {
            if is_verified {
                plan.mark_verified(index);
            }
        }
        plan
    }

    /// All pieces are there.
    pub(crate) fn complete(file: FileId) -> Self {
        let mut plan = Self::new(file);
        plan.verified.fill(true);
        plan.received = file.size;
        plan
    }

    /// A bit for each piece, the first piece in the lowest bit of the first byte.
    pub(crate) fn verified_bits(&self) -> Vec<u8> {
        bits::pack(&self.verified)
    }

    pub(crate) fn is_verified(&self, index: u64) -> bool {
        usize::try_from(index).ok().and_then(|index| self.verified.get(index)).copied().unwrap_or(false)
    }

    /// Bytes in verified pieces.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn size(&self) -> u64 {
        self.file.size
    }

    /// Bytes still to come.
    pub(crate) fn missing(&self) -> u64 {
        self.file.size - self.received
    }

    /// The longest run of missing pieces, the first of several: one request covers it. `None` when nothing
    /// is missing.
    pub(crate) fn next_run(&self) -> Option<Range<u64>> {
        let mut longest: Range<u64> = 0..0;
        let mut start = 0;
        for (index, verified) in (0_u64..).zip(self.verified.iter().copied().chain([true])) {
            if verified {
                if index - start > longest.end - longest.start {
                    longest = start..index;
                }
                start = index + 1;
            }
        }
        (!longest.is_empty()).then_some(longest)
    }

    /// The bytes of a run of pieces.
    pub(crate) fn bytes_of(&self, run: &Range<u64>) -> Range<u64> {
        let first = self.file.piece_range(run.start).start;
        let end = if run.is_empty() { first } else { self.file.piece_range(run.end - 1).end };
        first..end
    }

    /// A piece was checked and is written. Telling it twice changes nothing.
    pub(crate) fn mark_verified(&mut self, index: u64) {
        let Some(piece) = usize::try_from(index).ok().and_then(|index| self.verified.get_mut(index)) else {
            return;
        };
        if !std::mem::replace(piece, true) {
            let range = self.file.piece_range(index);
            self.received += range.end - range.start;
        }
        self.suspect.remove(&index);
    }

    /// A piece that counted is not on the disk after all.
    pub(crate) fn mark_missing(&mut self, index: u64) {
        let Some(piece) = usize::try_from(index).ok().and_then(|index| self.verified.get_mut(index)) else {
            return;
        };
        if std::mem::replace(piece, false) {
            let range = self.file.piece_range(index);
            self.received -= range.end - range.start;
        }
    }

    /// A piece came and was not right.
    pub(crate) fn mark_wrong(&mut self, index: u64) -> WrongPiece {
        if self.suspect.insert(index) { WrongPiece::FetchAgain } else { WrongPiece::DropSource }
    }

    /// Another source begins without blame.
    pub(crate) fn forgive(&mut self) {
        self.suspect.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::Root;

    use super::{FileId, Plan, WrongPiece};

    const MIB: u64 = 1024 * 1024;

    fn plan(size: u64) -> Plan {
        Plan::new(FileId::new(Root::from_bytes([7; 32]), size).unwrap())
    }

    #[test]
    fn an_empty_file_has_nothing_to_fetch() {
        assert_eq!(plan(0).received(), 0);
        assert_eq!(plan(0).next_run(), None);
    }

    #[test]
    fn the_first_of_the_longest_runs_is_next() {
        let mut plan = plan(7 * MIB);
        assert_eq!(plan.next_run(), Some(0..7));
        plan.mark_verified(2);
        plan.mark_verified(5);
        assert_eq!(plan.next_run(), Some(0..2));
        assert_eq!(plan.bytes_of(&(0..2)), 0..2 * MIB);
        plan.mark_verified(0);
        assert_eq!(plan.next_run(), Some(3..5));
    }

    #[test]
    fn a_piece_may_be_wrong_once() {
        let mut plan = plan(2 * MIB);
        assert_eq!(plan.mark_wrong(1), WrongPiece::FetchAgain);
        assert_eq!(plan.mark_wrong(0), WrongPiece::FetchAgain);
        assert_eq!(plan.mark_wrong(1), WrongPiece::DropSource);
        plan.forgive();
        assert_eq!(plan.mark_wrong(1), WrongPiece::FetchAgain);
        plan.mark_verified(1);
        plan.mark_missing(1);
        assert_eq!(plan.mark_wrong(1), WrongPiece::FetchAgain, "it was right in between");
        assert_eq!(Plan::complete(plan.file).received(), 2 * MIB);
    }

    #[test]
    fn a_piece_that_is_not_on_the_disk_is_fetched_again() {
        let mut plan = plan(3 * MIB + 1);
        for index in 0..4 {
            plan.mark_verified(index);
        }
        plan.mark_missing(3);
        plan.mark_missing(3);
        assert_eq!((plan.received(), plan.next_run()), (3 * MIB, Some(3..4)));
    }

    proptest! {
        /// Against the set of missing pieces: no piece is asked for once it is verified, none is missed, and
        /// the bytes add up to the size.
        #[test]
        fn every_piece_is_fetched_and_none_twice(
            size in 1..40 * MIB,
            cuts in proptest::collection::vec(1..6_u64, 0..60),
        ) {
            let mut plan = plan(size);
            let mut missing: std::collections::BTreeSet<u64> = (0..plan.file.piece_count()).collect();
            let mut cuts = cuts.into_iter();
            while let Some(run) = plan.next_run() {
                prop_assert!(run.clone().all(|index| missing.contains(&index)));
                // A stream may break off after any number of pieces of a run.
                let taken = cuts.next().unwrap_or(u64::MAX).min(run.end - run.start);
                for index in run.start..run.start + taken {
                    plan.mark_verified(index);
                    missing.remove(&index);
                }
                let left: u64 = missing.iter().map(|&i| plan.file.piece_range(i)).map(|r| r.end - r.start).sum();
                prop_assert_eq!(plan.received(), size - left);
                let restored = Plan::restore(plan.file, &plan.verified_bits());
                prop_assert_eq!(restored.next_run(), plan.next_run());
            }
            prop_assert!(missing.is_empty());
            prop_assert_eq!(Plan::restore(plan.file, &plan.verified_bits()).received(), size);
            prop_assert_eq!(plan.received(), size);
        }
    }
}
