//! What is in a folder as one sequence of bytes: all of its files, one after the other, in the order of its listing.
//!
//! A request for each of a thousand small files is a thousand times the way there and back. A range of the sequence
//! brings many of them at once; since the requester knows the listing, it knows where each begins.

use std::ops::Range;

use crate::{
    FileId,
    folder::{ListedFile, Listing},
    limits::{FOLDER_RUN_BYTES_MAX, FOLDER_RUN_FILES_MAX},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderContent {
    files: Vec<FileId>,
    /// Where each file begins, and then where the last one ends.
    bounds: Vec<u64>,
}

impl FolderContent {
    pub fn of(listing: &Listing) -> Self {
        // All of a listing's files have an identity.
        let files: Vec<_> = listing.files().iter().filter_map(ListedFile::id).collect();
        let mut end = 0;
        let ends = files.iter().map(|file| {
            end += file.size;
            end
        });
        let bounds = std::iter::once(0).chain(ends).collect();
        Self { files, bounds }
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.bounds[self.files.len()]
    }

    /// Groups the files with these numbers, which ascend, into runs of neighbours that can be asked for at once. A large
    /// file is a run of its own.
    pub fn runs(&self, numbers: &[usize]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for &number in numbers {
            match runs.last_mut() {
                Some(run) if run.end == number && self.is_run(run.start..number + 1) => run.end += 1,
                _ => runs.push(number..number + 1),
            }
        }
        runs
    }

    /// Where the files with these numbers are.
    pub fn bytes_of(&self, files: &Range<usize>) -> Range<u64> {
        self.bounds[files.start]..self.bounds[files.end]
    }

    /// The files that these bytes are, if they are whole files that can be asked for at once. Empty ones may be among
    /// them, or not.
    pub fn files_at(&self, bytes: &Range<u64>) -> Option<&[FileId]> {
        let number = |bound: u64| self.bounds.binary_search(&bound).ok();
        let files = number(bytes.start)?..number(bytes.end)?;
        self.is_run(files.clone()).then(|| &self.files[files])
    }

    /// Small files, and not too many.
    fn is_run(&self, files: Range<usize>) -> bool {
        let bytes = self.bytes_of(&files);
        files.len() <= FOLDER_RUN_FILES_MAX
            && bytes.end - bytes.start <= FOLDER_RUN_BYTES_MAX
            && self.files[files].iter().all(|file| file.piece_count() <= 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::subsequence};

    use super::*;
    use crate::{Root, folder::RelativePath};

    fn content(sizes: &[u64]) -> FolderContent {
        let file = |(number, &size): (usize, &u64)| {
            let path = RelativePath::parse(&format!("{number:03}")).unwrap();
            ListedFile { path, size, root: Root::from_bytes([7; 32]) }
        };
        FolderContent::of(&Listing::new(sizes.iter().enumerate().map(file).collect()).unwrap())
    }

    #[test]
    fn neighbours_come_together_and_large_files_alone() {
        const PIECE: u64 = 1 << 20;
        let content = content(&[10, 0, 20, PIECE + 1, 30, PIECE, PIECE, PIECE, PIECE, 5]);
        assert_eq!(content.size(), 66 + 5 * PIECE);
        assert_eq!(content.runs(&(0..10).collect::<Vec<_>>()), [0..3, 3..4, 4..8, 8..10]);
        assert_eq!(content.runs(&[0, 2, 8, 9]), [0..1, 2..3, 8..10]);
        assert_eq!(content.bytes_of(&(1..4)), 10..PIECE + 31);
        let sizes = |bytes: Range<u64>| {
            content.files_at(&bytes).map(|files| files.iter().map(|file| file.size).sum())
        };
        assert_eq!(sizes(0..30), Some(30_u64));
        assert_eq!(sizes(10..30), Some(20));
        for bytes in [0..29, 1..30, 0..31 + PIECE, 30..31 + PIECE, 10..10_000_000, 31 + PIECE..66 + 5 * PIECE]
        {
            assert_eq!(sizes(bytes.clone()), None, "{bytes:?}");
        }
    }

    #[test]
    fn many_tiny_files_are_several_runs() {
        let content = content(&[1; FOLDER_RUN_FILES_MAX + 1]);
        let all = FOLDER_RUN_FILES_MAX as u64;
        assert_eq!(content.runs(&(0..=FOLDER_RUN_FILES_MAX).collect::<Vec<_>>()).len(), 2);
        assert!(content.files_at(&(0..all)).is_some() && content.files_at(&(0..all + 1)).is_none());
    }

    proptest! {
        /// Every wanted file is in one run, nothing else is in any, and a run of several may be asked for.
        #[test]
        fn runs_have_what_is_wanted_and_nothing_else(
            (sizes, wanted) in vec(prop_oneof![0..10_u64, 900_000..1_200_000_u64], 1..40)
                .prop_flat_map(|sizes| (Just(sizes.clone()), subsequence((0..sizes.len()).collect::<Vec<_>>(), 0..=sizes.len())))
        ) {
            let content = content(&sizes);
            let runs = content.runs(&wanted);
            prop_assert_eq!(runs.iter().cloned().flatten().collect::<Vec<_>>(), wanted);
            for run in runs.iter().filter(|run| run.len() > 1) {
                let bytes = content.bytes_of(run);
                let files = content.files_at(&bytes).unwrap();
                prop_assert_eq!(files.iter().map(|file| file.size).sum::<u64>(), bytes.end - bytes.start);
            }
        }
    }
}
