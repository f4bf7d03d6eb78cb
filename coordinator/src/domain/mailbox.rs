//! A session's own events until they are acknowledged: bounded, expiring, small when empty.
//!
//! Reading takes nothing out, for a response may be lost; acknowledgement does. Each event has a number that
//! grows by one, and a cursor names the last number that a response held.
//!
//! ```text
//! push ──▶ held ──acknowledge──▶ gone
//!            ├────expire────────▶ gone
//!            └────no room───────▶ counted in `lost`, which is told like an event and acknowledged like one
//! ```

use std::{collections::VecDeque, mem, sync::Arc, time::Instant};

use super::batch::BatchBuilder;

/// How much a mailbox holds before something is lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MailboxLimits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// What has to give way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Search results: there are many, and the searcher can ask again.
    Result,
    /// Everything else: nobody says it twice.
    Word,
}

/// An event in its wire form.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) json: Arc<str>,
    pub(crate) weight: Weight,
    pub(crate) expires: Instant,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    held: VecDeque<Numbered>,
    bytes: usize,
    /// The number of the youngest event, held or lost.
    youngest: u64,
    loss: Option<Loss>,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    mail: Mail,
}

/// All that was lost and is not yet known to have been told. More losses before the acknowledgement are added
/// and told together: a count may be told too high, never too low.
#[derive(Debug, Clone, Copy)]
struct Loss {
    number: u64,
    count: u64,
    expires: Instant,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self { held: VecDeque::new(), bytes: 0, youngest: 0, loss: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.loss.is_none()
    }

    /// Of all events that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The highest number that a cursor can name.
    pub(crate) fn youngest(&self) -> u64 {
        self.youngest
    }

    /// Adds an event. When there is no room, results give way to words, the youngest first, because the older
    /// ones may have been read already; a result never displaces anything.
    pub(crate) fn push(&mut self, mail: Mail, limits: &MailboxLimits) {
        let size = mail.json.len();
        while !self.has_room(size, limits) {
            let victim = match mail.weight {
                Weight::Result => None,
                Weight::Word => self.held.iter().rposition(|held| held.mail.weight == Weight::Result),
            };
            let Some(victim) = victim else {
                self.count_loss(mail.expires);
                return;
            };
            if let Some(removed) = self.held.remove(victim) {
                self.bytes -= removed.mail.json.len();
                self.count_loss(removed.mail.expires);
            }
        }
        self.youngest += 1;
        self.bytes += size;
        self.held.push_back(Numbered { number: self.youngest, mail });
    }

    /// Takes out what a response up to `number` held.
    pub(crate) fn acknowledge(&mut self, number: u64) {
        while self.held.front().is_some_and(|held| held.number <= number) {
            if let Some(held) = self.held.pop_front() {
                self.bytes -= held.mail.json.len();
            }
        }
        if self.loss.is_some_and(|loss| loss.number <= number) {
            self.loss = None;
        }
        self.shrink();
    }

    /// Drops what has expired.
    pub(crate) fn expire(&mut self, now: Instant) {
        let mut freed = 0;
        self.held.retain(|held| {
            let keep = held.mail.expires > now;
            freed += if keep { 0 } else { held.mail.json.len() };
            keep
        });
        self.bytes -= freed;
        self.loss = self.loss.filter(|loss| loss.expires > now);
        self.shrink();
    }

    /// Adds what is held to a batch as far as it fits, and tells the number up to which the batch speaks.
    pub(crate) fn read(&self, now: Instant, batch: &mut BatchBuilder) -> u64 {
        // The loss goes first: a cursor that acknowledges its number then always comes from a batch that told it.
        if let Some(loss) = self.loss.filter(|loss| loss.expires > now) {
            batch.push(&format!(r#"{{"type":"events_lost","count":{}}}"#, loss.count).into());
        }
        let mut upto = self.acknowledged();
        for held in &self.held {
            if held.mail.expires > now && !batch.push(&held.mail.json) {
                return upto;
            }
            upto = held.number;
        }
        self.youngest
    }

    /// The number before the oldest that is still held.
    fn acknowledged(&self) -> u64 {
        self.held.front().map_or(self.youngest, |oldest| oldest.number - 1)
    }

    fn has_room(&self, size: usize, limits: &MailboxLimits) -> bool {
        self.held.len() < limits.events && self.bytes + size <= limits.bytes
    }

    /// Counts an event that there is no room for, here or anywhere. The loss is worth telling as long as the
    /// longest-lived of the lost events would have been.
    pub(crate) fn count_loss(&mut self, expires: Instant) {
        self.youngest += 1;
        let (earlier, earlier_expires) = self.loss.map_or((0, expires), |loss| (loss.count, loss.expires));
        let expires = expires.max(earlier_expires);
        self.loss = Some(Loss { number: self.youngest, count: earlier + 1, expires });
    }

    /// Thousands of mailboxes are empty nearly always: an empty one owns no memory.
    fn shrink(&mut self) {
        if self.held.is_empty() {
            drop(mem::take(&mut self.held));
        }
    }
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
