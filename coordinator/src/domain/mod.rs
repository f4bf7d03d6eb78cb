//! What the coordinator decides, as a value without clock, randomness or I/O: time is an argument.
//!
//! [`Domain`] is the sum of the parts: an operation here touches several of them (a search goes into the ring,
//! results into a mailbox). Whoever must wake up is noted in [`Wakes`]; waking is the shell's work. Polls go on beside
//! it, on all threads: what they share with it, the rows of sessions and the ring of searches, is made for that.

pub(crate) mod batch;
pub(crate) mod bucket;
mod deadlines;
pub(crate) mod introductions;
pub(crate) mod mailbox;
pub(crate) mod polls;
mod rows;
pub(crate) mod search_ring;
pub(crate) mod searches;
pub(crate) mod sessions;
mod wakes;

use std::{
    collections::HashSet,
    mem,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use protocol::{
    Event, IntroductionId, SearchId, Username,
    introduction::{HeardReply, Reply, Sealed},
    search::{AnswerRequest, ClassedMatch, Subject},
};

use self::{
    introductions::{IntroduceError, IntroductionOver, IntroductionRules, Introductions},
    mailbox::{Mail, Mailbox, MailboxLimits, Weight},
    polls::{PollRules, Polls},
    search_ring::SearchRing,
    searches::{SearchError, SearchOver, SearchRules, Searches},
    sessions::{Claim, ClaimError, HashedName, Nobody, SessionId, SessionRules, Sessions},
    wakes::Wakes,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) sessions: SessionRules,
    pub(crate) polls: PollRules,
    pub(crate) searches: SearchRules,
    pub(crate) introductions: IntroductionRules,
    pub(crate) mailbox: MailboxLimits,
    /// Over all mailboxes.
    pub(crate) mail_bytes: usize,
    /// How long words wait in a mailbox.
    pub(crate) event_lifetime: Duration,
}

/// How much is held just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) sessions: usize,
    pub(crate) live_polls: usize,
    pub(crate) searches: usize,
    pub(crate) introductions: usize,
    pub(crate) mail_bytes: usize,
}

/// A requester's word on its way to the target.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) id: IntroductionId,
    pub(crate) from: Username,
    pub(crate) to: HashedName,
    pub(crate) endpoint: SocketAddr,
    pub(crate) sealed: Sealed,
}

#[derive(Debug)]
pub(crate) struct Domain {
    rules: Rules,
    sessions: Sessions,
    polls: Arc<Polls>,
    ring: Arc<ArcSwap<SearchRing>>,
    searches: Searches,
    introductions: Introductions,
    /// Sessions whose mailbox holds something: only these are looked at when events expire.
    holding: HashSet<SessionId>,
    wakes: Wakes,
}

impl Domain {
    pub(crate) fn new(rules: Rules, nobody: Nobody, now: Instant) -> Self {
        let sessions = Sessions::new(rules.sessions, nobody, now);
        let ring = Arc::new(ArcSwap::from_pointee(SearchRing::new()));
        Self {
            rules,
            polls: Arc::new(Polls::new(Arc::clone(sessions.rows()), Arc::clone(&ring), rules.polls)),
            sessions,
            ring,
            searches: Searches::new(rules.searches),
            introductions: Introductions::new(rules.introductions),
            holding: HashSet::new(),
            wakes: Wakes::default(),
        }
    }

    /// Puts other rules in force. What lives already keeps its time.
    pub(crate) fn change_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.sessions.change_rules(rules.sessions);
        self.polls.change_rules(rules.polls);
        self.searches.change_rules(rules.searches);
        self.introductions.change_rules(rules.introductions);
    }

    pub(crate) fn has_wakes(&self) -> bool {
        !self.wakes.is_empty() || self.sessions.has_overtaken()
    }

    pub(crate) fn take_wakes(&mut self) -> Wakes {
        Wakes { overtaken: self.sessions.take_overtaken(), ..mem::take(&mut self.wakes) }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            live_polls: self.sessions.live_polls(),
            searches: self.searches.len(),
            introductions: self.introductions.len(),
            mail_bytes: self.sessions.mail_bytes(),
        }
    }

    // Sessions.

    pub(crate) fn claim(&mut self, claim: &Claim, now: Instant) -> Result<(), ClaimError> {
        let ring = self.ring.load().youngest();
        self.sessions.claim(claim, ring, now).map(|_| ())
    }

    /// What goes on beside all that is here.
    pub(crate) fn polls(&self) -> &Arc<Polls> {
        &self.polls
    }

    pub(crate) fn release(&mut self, id: SessionId) {
        self.sessions.remove(id);
    }

    // Searches.

    pub(crate) fn open_search(
        &mut self,
        searcher: SessionId,
        id: SearchId,
        subject: &Subject,
        now: Instant,
    ) -> Result<(), SearchError> {
        if let Some(deadline) = self.searches.open(id, searcher, subject, now)? {
            let spread_milliseconds = searches::spread_milliseconds(self.sessions.len());
            let event = Event::Search { id, subject: subject.clone(), spread_milliseconds };
            self.change_ring(|ring| ring.push(id, searcher, wire(&event), deadline));
            self.wakes.everyone = true;
        }
        Ok(())
    }

    /// What an answer has to match; `None` when the caller answered before.
    pub(crate) fn subject_for_answer(
        &self,
        session: SessionId,
        name: HashedName,
        id: SearchId,
        now: Instant,
    ) -> Result<Option<Arc<Subject>>, SearchOver> {
        self.searches.subject_for(id, name, session, now)
    }

    /// Passes the matches of an answer on, as far as they fit. `matches` went through
    /// [`classify`](searches::classify).
    pub(crate) fn answer(
        &mut self,
        id: SearchId,
        name: HashedName,
        username: Username,
        answer: &AnswerRequest,
        matches: Vec<ClassedMatch>,
        now: Instant,
    ) -> Result<(), SearchOver> {
        let Some(admitted) = self.searches.admit(id, name, matches, now)? else { return Ok(()) };
        if !admitted.matches.is_empty() {
            let event = Event::SearchResults {
                id,
                username,
                reply_key: answer.reply_key,
                certificate_sha256: answer.certificate_sha256,
                matches: admitted.matches,
            };
            self.deliver(admitted.searcher, &event, Weight::Result, admitted.expires, now);
        }
        if admitted.search_is_full {
            self.finish_search(id, now);
        }
        Ok(())
    }

    pub(crate) fn withdraw_search(
        &mut self,
        searcher: SessionId,
        id: SearchId,
        now: Instant,
    ) -> Result<(), SearchOver> {
        if self.searches.withdraw(id, searcher)? {
            self.finish_search(id, now);
        }
        Ok(())
    }

    fn finish_search(&mut self, id: SearchId, now: Instant) {
        self.change_ring(|ring| ring.remove(id));
        if let Some((searcher, expires)) = self.searches.finish(id) {
            self.deliver(searcher, &Event::SearchFinished { id }, Weight::Word, expires, now);
        }
    }

    // Introductions.

    /// Carries an introduction to its target, if anyone holds that name. Nothing in the result or in the work
    /// done tells whether.
    pub(crate) fn introduce(
        &mut self,
        requester: SessionId,
        introduction: Introduction,
        now: Instant,
    ) -> Result<(), IntroduceError> {
        let Introduction { id, from, to, endpoint, sealed } = introduction;
        // The maker's session was replaced by its next one: the introduction moves on with the name.
        if self.introductions.requester(id).is_some_and(|maker| !self.sessions.is_there(maker, now)) {
            self.introductions.forget(id);
        }
        let replaced = self.introductions.send(id, requester, to, now)?;
        let target = self.holder(to, now);
        let expires = now + self.rules.introductions.lifetime.min(self.rules.event_lifetime);
        if let Some(replaced) = replaced {
            let withdrawn = Event::IntroductionWithdrawn { id: replaced };
            self.deliver(target, &withdrawn, Weight::Word, expires, now);
        }
        let event = Event::Introduction { id, from, endpoint, sealed };
        self.deliver(target, &event, Weight::Word, expires, now);
        Ok(())
    }

    /// Carries the target's word back. `endpoint` is the target's observed address with the port of a
    /// `dial_me`.
    pub(crate) fn reply(
        &mut self,
        target: HashedName,
        id: IntroductionId,
        reply: &Reply,
        heard: HeardReply,
        now: Instant,
    ) -> Result<(), IntroductionOver> {
        if let Some(requester) = self.introductions.reply(id, target, reply, now)? {
            let expires = now + self.rules.event_lifetime;
            let event = Event::IntroductionReply { id, reply: heard };
            self.deliver(requester, &event, Weight::Word, expires, now);
        }
        Ok(())
    }

    pub(crate) fn withdraw_introduction(
        &mut self,
        requester: SessionId,
        id: IntroductionId,
        now: Instant,
    ) -> Result<(), IntroductionOver> {
        if let Some(target) = self.introductions.withdraw(id, requester)? {
            let target = self.holder(target, now);
            let expires = now + self.rules.event_lifetime;
            self.deliver(target, &Event::IntroductionWithdrawn { id }, Weight::Word, expires, now);
        }
        Ok(())
    }

    // Time.

    /// Drops everything whose time is over, and tells searchers whose search has ended.
    pub(crate) fn sweep(&mut self, now: Instant) {
        while let Some(id) = self.searches.next_due(now) {
            self.finish_search(id, now);
        }
        if self.ring.load().has_expired(now) {
            self.change_ring(|ring| ring.expire(now));
        }
        self.introductions.expire(now);
        self.sessions.expire(now);
        let Self { holding, sessions, .. } = self;
        let nobody = sessions.nobody();
        sessions.with_mailbox(nobody, now, |mailbox| *mailbox = Mailbox::new());
        holding.retain(|id| {
            let expire = |mailbox: &mut Mailbox| {
                mailbox.expire(now);
                !mailbox.is_empty()
            };
            sessions.with_mailbox(*id, now, expire).unwrap_or(false)
        });
    }

    /// Polls read it meanwhile, as it was.
    fn change_ring(&self, change: impl FnOnce(&mut SearchRing)) {
        let mut ring = SearchRing::clone(&self.ring.load());
        change(&mut ring);
        self.ring.store(Arc::new(ring));
    }

    /// Whom mail to a name goes to. Nobody takes what is for a name that is not held, so that nothing in the work
    /// tells whether it is.
    fn holder(&self, name: HashedName, now: Instant) -> SessionId {
        self.sessions.find(name, now).unwrap_or(self.sessions.nobody())
    }

    fn deliver(&mut self, to: SessionId, event: &Event, weight: Weight, expires: Instant, now: Instant) {
        let json = wire(event);
        let fits = self.sessions.mail_bytes() + json.len() <= self.rules.mail_bytes;
        let limits = self.rules.mailbox;
        let push = |mailbox: &mut Mailbox| {
            if fits {
                mailbox.push(Mail { json, weight, expires }, &limits);
            } else {
                mailbox.count_loss(expires);
            }
        };
        if self.sessions.with_mailbox(to, now, push).is_some() {
            self.holding.insert(to);
            self.wakes.sessions.insert(to);
        }
    }
}

/// An event as it travels.
fn wire(event: &Event) -> Arc<str> {
    // Events consist of strings and numbers, for which serialisation can't fail; an event that peers pass over
    // stands in, so that a batch is valid whatever happens.
    serde_json::to_string(event).unwrap_or_else(|_| r#"{"type":"unknown"}"#.to_owned()).into()
}

#[cfg(test)]
mod tests;
