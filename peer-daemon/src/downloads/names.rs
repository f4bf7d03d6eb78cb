//! Names that no file system takes for one.
//!
//! Some file systems don't tell `a` from `A`, or an `é` of one character from one of two. Where they do the
//! writing, the system call that makes a file says that its name is taken. But what is fetched to a file system
//! that tells all names apart may be copied to one that does not, and one of two files would be lost there. So
//! names of downloads that go on at the same time (all of one `peerctl get`) are numbered apart.

use std::collections::HashSet;

use protocol::SafeName;

/// The names of some downloads.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a SafeName>) -> Self {
        Self(names.map(SafeName::folding_key).collect())
    }

    /// Whether some file system takes this name for one of them.
    pub(super) fn has(&self, name: &SafeName) -> bool {
        self.0.contains(&name.folding_key())
    }

    /// Adds the name, numbered until it is apart from the others.
    pub(super) fn add(&mut self, name: &SafeName) -> SafeName {
        let mut candidates = std::iter::once(name.clone()).chain((2..).map(|number| name.numbered(number)));
        // There are more numbers than names.
        let free = candidates.find(|name| self.0.insert(name.folding_key()));
        free.unwrap_or_else(|| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
