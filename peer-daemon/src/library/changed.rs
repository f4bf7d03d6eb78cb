//! Which files were found to be others by now: whoever asks for one of them is told that it has changed, and not
//! only that it is not there.
//!
//! What was found to be gone without another file in its place is not among them.

use std::collections::{HashSet, VecDeque};

use protocol::FileId;

/// Files that are remembered, the newest. Of one that was forgotten is said that it is not there, which is true
/// as well.
const REMEMBERED_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Changed {
    files: HashSet<FileId>,
    /// The same, the oldest first.
    order: VecDeque<FileId>,
}

impl Changed {
    pub(super) fn note(&mut self, file: FileId) {
        if !self.files.insert(file) {
            return;
        }
        self.order.push_back(file);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.files.remove(&oldest);
        }
    }

    pub(super) fn has(&self, file: &FileId) -> bool {
        self.files.contains(file)
    }
}

#[cfg(test)]
mod tests {
    use protocol::Root;

    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let file = |size: usize| FileId::new(Root::from_bytes([1; 32]), size as u64).unwrap();
        let mut changed = Changed::default();
        for size in 0..=REMEMBERED_MAX {
            changed.note(file(size));
            changed.note(file(size));
        }
        assert!(!changed.has(&file(0)) && changed.has(&file(1)) && changed.has(&file(REMEMBERED_MAX)));
        assert_eq!(changed.files.len(), REMEMBERED_MAX);
    }
}
