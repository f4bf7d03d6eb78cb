//! The configuration in the domain's terms.

use std::time::Instant;

use crate::{
    config::{Config, Lifetimes, Limits},
    domain::{
        Rules, introductions::IntroductionRules, mailbox::MailboxLimits, polls::PollRules,
        searches::SearchRules, sessions::SessionRules,
    },
    rate_limit,
};

/// `started` is when the server was bound.
pub(crate) fn rules(config: &Config, started: Instant) -> Rules {
    let Config { lifetimes, limits, .. } = config;
    let Lifetimes { lease, search, search_grace, introduction, event, takeover, .. } = *lifetimes;
    let Limits { mailbox_events, mailbox_bytes, mail_bytes, batch_bytes, pending_introductions, .. } =
        *limits;
    Rules {
        sessions: SessionRules {
            lease,
            sessions_max: limits.sessions,
            takeover_until: config.key_file.is_some().then(|| started + takeover),
        },
        polls: PollRules { rate: rate_limit::polls(limits), lease, batch_bytes },
        searches: SearchRules {
            lifetime: search,
            grace: search_grace,
            running_max: limits.searches,
            substring_results: limits.substring_results,
            substring_results_a_peer: limits.substring_results_a_peer,
            exact_results: limits.exact_results,
            exact_results_a_peer: limits.exact_results_a_peer,
        },
        introductions: IntroductionRules {
            lifetime: introduction,
            pending_max: pending_introductions,
            remembered_max: limits.introductions,
        },
        mailbox: MailboxLimits { events: mailbox_events, bytes: mailbox_bytes },
        mail_bytes,
        event_lifetime: event,
    }
}
