//! What downloads do by themselves when its time has come: their source is asked again, or whoever has the file is
//! searched for. Those that wait in a queue look for somebody else meanwhile ([`looks`](super::looks)).
//!
//! Two tasks, whatever the number of downloads: one sets out those whose source is to be asked (which needs no
//! search), the other searches, one file at a time and with a pause between, so that thousands that wait are no
//! flood. Those that have just lost their source come before those that have waited for a while; of each, the
//! one that has been due for longest. Those that have a place come last.

use std::time::{Duration, SystemTime};

use protocol::IntroductionId;
use tokio::{sync::watch, time::Instant};

use super::{
    Downloads, batch::Item, book::earlier, errand::Circumstances, requesting::SourceTask, sessions::Sessions,
    setback::Setback, step::Step,
};
use crate::{backoff::BackoffRange, clock, coordinator_link::CallError, searches::Source};

/// Between the beginnings of two searches: half of what a coordinator takes of one peer, so that a person's own
/// searches always have room.
const SEARCH_PAUSE: Duration = Duration::from_secs(2);
/// How long another source is looked for; a search lives 10 s, and who has the file answers soon.
const SOURCE_SEARCH: Duration = Duration::from_secs(3);
/// However long it waits in a queue: within half an hour, somebody who is free is found.
const LOOK_AROUND_MAX: Duration = Duration::from_mins(30);
/// The agenda is looked at again after so long at most: the clock that it goes by may have been set.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

impl Downloads {
    /// Asks sources again when that is due, until the daemon ends.
    pub(super) async fn ask_when_due(self) {
        let mut changes = self.shared.changes.subscribe();
        while !self.shared.parts.token.is_cancelled() {
            changes.borrow_and_update();
            let (usernames, next) = self.book().set_out(clock::wall());
            for username in usernames {
                self.ask(username);
            }
            self.wait_until(next, &mut changes).await;
        }
    }

    /// Searches when that is due, until the daemon ends.
    pub(super) async fn seek_when_due(self) {
        let mut changes = self.shared.changes.subscribe();
        let token = self.shared.parts.token.clone();
        let mut not_before = Instant::from_std(clock::now());
        while token.run_until_cancelled(tokio::time::sleep_until(not_before)).await.is_some() {
            changes.borrow_and_update();
            let begun = Instant::from_std(clock::now());
            let due = self.book().next_to_seek(clock::wall());
            let searched = match due {
                Ok(item) => Ok(self.seek(&item).await),
                Err(next) => match self.next_to_look() {
                    Ok(item) => Ok(self.look_around(&item).await),
                    Err(other) => Err(next.map_or(other, |next| Some(earlier(other, next)))),
                },
            };
            match searched {
                Ok(pause) => not_before = begun + SEARCH_PAUSE + pause.unwrap_or_default(),
                Err(next) => self.wait_until(next, &mut changes).await,
            }
        }
    }

    /// Until something is due or something has changed.
    async fn wait_until(&self, due: Option<SystemTime>, changes: &mut watch::Receiver<u64>) {
        let left = due.map(|due| due.duration_since(clock::wall()).unwrap_or_default());
        tokio::select! {
            () = tokio::time::sleep(left.map_or(LOOK_AGAIN, |left| left.min(LOOK_AGAIN))) => {}
            _the_sender_is_ours = changes.changed() => {}
            () = self.shared.parts.token.cancelled() => {}
        }
    }

    /// Searches for who has the file of this download. Answers how long the coordinator wants to be left alone.
    async fn seek(&self, item: &Item) -> Option<Duration> {
        let mut sessions = self.shared.sessions.subscribe();
        self.change_item(item, |entry| entry.take(Step::Seeking))?;
        let searches = &self.shared.parts.searches;
        let found = tokio::select! {
            found = searches.find_sources(&item.file, SOURCE_SEARCH) => found,
            () = item.token.cancelled() => return None,
        };
        match found {
            Ok(found) => self.choose(item, found),
            Err(CallError::RateLimited { retry_after }) => return Some(retry_after),
            Err(error) => {
                let at = self.circumstances();
                self.settle_item(item, |entry| {
                    entry.live(|life, _| life.lack_coordinator(&at, Setback::from(error)));
                });
                self.await_coordinator(&mut sessions).await;
            }
        }
        None
    }

    /// Before anything else is searched for, there has to be somebody who passes it on.
    async fn await_coordinator(&self, sessions: &mut watch::Receiver<Sessions>) {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            _the_sender_is_ours = sessions.changed() => {}
            () = self.shared.parts.token.cancelled() => {}
        }
    }

    /// Who waits in a queue and is to look for another source now, or when the next is. While another download runs,
    /// nobody: a source that is free would be made to wait. And nobody while as many sources are asked as may be.
    fn next_to_look(&self) -> Result<Item, Option<SystemTime>> {
        let shared = &self.shared;
        if !shared.slot.is_free() || shared.asking.available_permits() == 0 {
            return Err(None);
        }
        self.book().next_to_look(clock::wall())
    }

    /// Searches for somebody else who has the file of this download, and asks one. Answers as [`seek`](Self::seek).
    async fn look_around(&self, item: &Item) -> Option<Duration> {
        let mut sessions = self.shared.sessions.subscribe();
        let found = tokio::select! {
            found = self.shared.parts.searches.find_sources(&item.file, SOURCE_SEARCH) => found,
            () = item.token.cancelled() => return None,
        };
        match found {
            Ok(found) => self.ask_elsewhere(item, found),
            Err(CallError::RateLimited { retry_after }) => return Some(retry_after),
            Err(_away) => self.await_coordinator(&mut sessions).await,
        }
        None
    }

    fn ask_elsewhere(&self, item: &Item, found: Vec<Source>) {
        let (at, id, token) =
            (self.circumstances(), IntroductionId::random(), self.shared.parts.token.child_token());
        let asked = self.book().ask_elsewhere(item, found, &at, (id, token));
        if let Some((username, item)) = asked {
            self.begin_task(SourceTask::new(self.clone(), username).asking_elsewhere(item, id));
        }
        self.note_change();
    }

    /// Goes on with one of those that were found, if there is one that may be asked.
    fn choose(&self, item: &Item, found: Vec<Source>) {
        let at = self.circumstances();
        let chosen = self
            .settle_item(item, |entry| {
                let chosen = pick(found, at.random, |source| entry.life().may_ask(source));
                match &chosen {
                    Some(source) => entry.find(source.clone()),
                    None => entry.live(|life, _| life.find_nobody(&at)),
                }
                chosen
            })
            .flatten();
        if let Some(source) = chosen {
            // Who is there for one is there for the others that wait for the very same.
            self.book().find_again(&source);
            self.note_change();
            self.ask(source.username);
        }
    }

    pub(super) fn circumstances(&self) -> Circumstances {
        Circumstances {
            now: clock::wall(),
            random: rand::random(),
            give_up_after: self.shared.parts.give_up_after,
            look_around: look_around(self.shared.parts.look_around_after),
        }
    }
}

/// With jitter from the half of it, the first look comes after so long at the earliest.
fn look_around(after: Duration) -> BackoffRange {
    let first = after.saturating_mul(2);
    BackoffRange { first, max: first.max(LOOK_AROUND_MAX) }
}

/// Any of them: who answers first is not to be who is asked always.
pub(super) fn pick<T>(found: Vec<T>, random: f64, may_ask: impl Fn(&T) -> bool) -> Option<T> {
    let mut found: Vec<_> = found.into_iter().filter(|source| may_ask(source)).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = (random * found.len() as f64) as usize;
    let last = found.len().checked_sub(1)?;
    Some(found.swap_remove(index.min(last)))
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn each_of_those_that_may_be_asked_is_picked_as_often_as_the_others() {
        let mut picked = [0; 6];
        for hundredth in 0..100 {
            let random = f64::from(hundredth) / 100.0;
            picked[pick((0..6).collect(), random, |source| source % 3 != 0).unwrap()] += 1;
        }
        assert_eq!(picked, [0, 25, 25, 0, 25, 25]);
        assert_eq!(pick(vec!['a', 'b'], 1.0, |_| true), Some('b'));
        assert_eq!(pick(vec!['a', 'b'], 0.5, |_| false), None);
    }
}
