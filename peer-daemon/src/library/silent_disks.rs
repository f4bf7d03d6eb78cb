//! Which shares are on a disk that does not answer: a network mount whose server has gone, a drive that fails.
//!
//! A read there can't be called off, and its thread waits for as long as the system does. So nobody waits for the thread:
//! who gave it up [leaves](SilentDisks::leave) it behind, and until it comes back by itself, nothing else is begun on its
//! share, which so costs a thread or two however often it is asked for. That the thread comes back is how it is known that
//! the disk does.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct SilentDisks {
    /// A plain mutex: held for a look or a note.
    jobs: Arc<Mutex<Jobs>>,
}

#[derive(Debug, Default)]
struct Jobs {
    last: u64,
    /// What is under way.
    by_number: HashMap<u64, Job>,
}

#[derive(Debug)]
struct Job {
    share: Arc<Path>,
    /// Nobody waits for it any more.
    is_left: bool,
}

/// Something is done on a share for as long as this is held.
#[derive(Debug)]
pub(super) struct AtWork {
    disks: SilentDisks,
    number: u64,
}

impl SilentDisks {
    /// To be held by whoever reads on a share; none if its disk does not answer.
    pub(super) fn begin(&self, share: &Arc<Path>) -> Option<AtWork> {
        let mut jobs = self.lock();
        if jobs.is_silent(share) {
            return None;
        }
        jobs.last += 1;
        let number = jobs.last;
        jobs.by_number.insert(number, Job { share: Arc::clone(share), is_left: false });
        Some(AtWork { disks: self.clone(), number })
    }

    /// Nobody waits any more for what is under way.
    pub(super) fn leave(&self) {
        for job in self.lock().by_number.values_mut() {
            job.is_left = true;
        }
    }

    pub(super) fn is_silent(&self, share: &Arc<Path>) -> bool {
        self.lock().is_silent(share)
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    fn is_silent(&self, share: &Arc<Path>) -> bool {
        self.by_number.values().any(|job| job.is_left && job.share == *share)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.disks.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[derive(Debug, Clone)]
    enum Event {
        Begin(usize),
        End(usize),
        Leave,
    }

    proptest! {
        /// The model is the plain list of what is under way.
        #[test]
        fn nothing_is_begun_where_somebody_was_left_behind_until_he_is_back(
            events in vec(prop_oneof![
                3 => (0..3_usize).prop_map(Event::Begin),
                3 => (0..9_usize).prop_map(Event::End),
                1 => Just(Event::Leave),
            ], 0..60),
        ) {
            let shares: [Arc<Path>; 3] = ["/a", "/b", "/c"].map(|path| Path::new(path).into());
            let disks = SilentDisks::default();
            let mut list: Vec<(usize, bool, AtWork)> = Vec::new();
            for event in events {
                match event {
                    Event::Begin(share) => {
                        let is_silent = list.iter().any(|(other, is_left, _)| *other == share && *is_left);
                        prop_assert_eq!(disks.is_silent(&shares[share]), is_silent);
                        let begun = disks.begin(&shares[share]);
                        prop_assert_eq!(begun.is_none(), is_silent);
                        list.extend(begun.map(|at_work| (share, false, at_work)));
                    }
                    Event::End(job) => if !list.is_empty() {
                        drop(list.remove(job % list.len()));
                    }
                    Event::Leave => {
                        disks.leave();
                        for (_, is_left, _) in &mut list {
                            *is_left = true;
                        }
                    }
                }
            }
            drop(list);
            prop_assert!(shares.iter().all(|share| !disks.is_silent(share)));
        }
    }
}
