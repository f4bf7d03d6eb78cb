//! Names that no file system takes for one.
//!
//! Some file systems don't tell `a` from `A`, or an `é` of one character from one of two. Where they do the
//! writing, the system call that makes a file says that its name is taken. But what is fetched to a file system
//! that tells all names apart may be copied to one that does not, and one of two files would be lost there. So
//! names of downloads that go on at the same time (all of one `peerctl get`) are numbered apart.

use std::collections::{HashMap, HashSet};

use protocol::SafeName;

/// The most that a number takes away from a long name: more digits than there are names.
const WIDEST: u32 = u32::MAX;

/// The names of some downloads.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// The number to be tried next, by what names have in common whose numbered forms can be the same. A source
    /// chooses thousands of names at once: the work for one of them must not grow with the others.
    next: HashMap<String, u32>,
}

impl Names {
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a SafeName>) -> Self {
        Self { taken: names.map(SafeName::folding_key).collect(), next: HashMap::new() }
    }

    /// Whether some file system takes this name for one of them.
    pub(super) fn has(&self, name: &SafeName) -> bool {
        self.taken.contains(&name.folding_key())
    }

    /// Adds the name, numbered until it is apart from the others.
    pub(super) fn add(&mut self, name: &SafeName) -> SafeName {
        if self.taken.insert(name.folding_key()) {
            return name.clone();
        }
        let next = self.next.entry(name.numbered(WIDEST).folding_key()).or_insert(2);
        let mut candidates = (*next..).map(|number| (number, name.numbered(number)));
        let free = candidates.find(|(_, numbered)| self.taken.insert(numbered.folding_key()));
        // There are more numbers than names.
        let Some((number, numbered)) = free else { return name.clone() };
        *next = number.saturating_add(1);
        numbered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::limits::{FOLDER_FILES_MAX, NAME_BYTES_MAX};

    use super::*;

    #[test]
    fn names_that_fold_to_one_are_numbered_apart() {
        let mut names = Names::default();
        let added = ["Song.mp3", "song.MP3", "SONG.mp3", "other", "Straße", "STRASSE", "song (2).mp3"];
        let added = added.map(|name| names.add(&SafeName::sanitise(name)).to_string());
        assert_eq!(
            added,
            [
                "Song.mp3",
                "song (2).MP3",
                "SONG (3).mp3",
                "other",
                "Straße",
                "STRASSE (2)",
                "song (2) (2).mp3"
            ]
        );
        assert!(names.has(&SafeName::sanitise("OTHER")) && !names.has(&SafeName::sanitise("another")));
    }

    /// As many as a folder may have, each one's numbered forms those of all others. The old way to number them took
    /// minutes for each of the two, and a source chooses the names.
    #[test]
    fn a_folder_full_of_names_that_fold_to_one_is_numbered_in_one_go() {
        let in_case = |length: usize, bits: usize| -> String {
            (0..length).map(|at| if bits >> at & 1 == 1 { 'A' } else { 'a' }).collect()
        };
        let short = (0..FOLDER_FILES_MAX).map(|bits| in_case(14, bits));
        // Apart in what is cut off for a number.
        let full = "x".repeat(NAME_BYTES_MAX - 4);
        let long = (0..3_000)
            .flat_map(|end| [format!("{full}{end:04}"), format!("{}{end:04}", full.to_uppercase())]);
        for names in [short.collect::<Vec<_>>(), long.collect()] {
            let mut added = Names::default();
            let keys: HashSet<_> =
                names.iter().map(|name| added.add(&SafeName::sanitise(name)).folding_key()).collect();
            assert_eq!(keys.len(), names.len());
        }
    }

    proptest! {
        #[test]
        fn no_two_are_ever_one(texts in proptest::collection::vec("[aAéE\u{301}ß1 ().]{1,4}", 1..40)) {
            let mut names = Names::default();
            let added: Vec<_> = texts.iter().map(|text| names.add(&SafeName::sanitise(text))).collect();
            let keys: HashSet<_> = added.iter().map(SafeName::folding_key).collect();
            prop_assert_eq!(keys.len(), added.len());
        }
    }
}
