//! How much of everything.

use std::num::NonZeroU32;

use protocol::limits::BODY_BYTES_MAX;

use super::settings::settings;

/// A number that a configuration can't have as zero; for defaults, which are not.
const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

settings! {
    /// How much of everything. Each bounds memory or work that a stranger can cause.
    pub struct Limits {
        /// Of a request body.
        body_bytes: usize = BODY_BYTES_MAX;
        /// Of the body of a connect, the one call that anyone can make.
        connect_body_bytes: usize = 16 * 1024;
        /// Sessions at once; each costs a socket as well.
        sessions: usize = 50_000;
        /// Open connections a worker.
        connections_a_worker: usize = 25_000;
        /// Connections that wait to be accepted: those of a whole community that comes back at once. The system's
        /// own limit (net.core.somaxconn) counts too.
        backlog: u32 = 4_096;
        /// Events in one session's mailbox.
        mailbox_events: usize = 256;
        /// Their bytes.
        mailbox_bytes: usize = 256 * 1024;
        /// Bytes of events over all mailboxes.
        mail_bytes: usize = 512 * 1024 * 1024;
        /// Of one poll's answer.
        batch_bytes: usize = 128 * 1024;
        /// Searches at once, over all sessions.
        searches: usize = 4_096;
        /// Results of one search that match in part.
        substring_results: usize = 400;
        /// Of these, from one peer.
        substring_results_a_peer: usize = 25;
        /// Results of one search that match exactly.
        exact_results: usize = 100;
        /// As many as substring ones: one peer with every version of a name must not take all places of a search.
        exact_results_a_peer: usize = 25;
        /// Introductions of one requester without a final word.
        pending_introductions: usize = 64;
        /// Introductions that are remembered at once, over all sessions.
        introductions: usize = 200_000;

        /// Searches of one session ...
        searches_per_second: NonZeroU32 = at_least_one(1);
        /// ... and how many at once, before that counts.
        searches_burst: NonZeroU32 = at_least_one(5);
        /// Introductions of one session ...
        introductions_per_second: NonZeroU32 = at_least_one(2);
        /// ... and at once.
        introductions_burst: NonZeroU32 = at_least_one(10);
        /// Answers and replies of one session: more than all searches of a large community ...
        answers_per_second: NonZeroU32 = at_least_one(50);
        /// ... and at once.
        answers_burst: NonZeroU32 = at_least_one(200);
        /// Polls of one session: one for each search, and some ...
        polls_per_second: NonZeroU32 = at_least_one(50);
        /// ... and at once.
        polls_burst: NonZeroU32 = at_least_one(200);
        /// Renewals of one name, by its token or its session.
        renewals_per_minute: NonZeroU32 = at_least_one(30);

        /// Name claims from one address, those with a valid name token not counted, those with a wrong join key too.
        claims_per_minute: NonZeroU32 = at_least_one(10);
        /// Renewals from one address: of all peers behind it, when they come back together.
        renewals_per_minute_an_address: NonZeroU32 = at_least_one(2_000);
        /// Introductions in which one address is handed out, so that nobody is dialled by everyone.
        handed_out_per_minute: NonZeroU32 = at_least_one(60);
        /// Searches from one address, which many peers may share, at most a tenth of all that fit ...
        searches_per_second_an_address: NonZeroU32 = at_least_one(20);
        /// ... and at once.
        searches_burst_an_address: NonZeroU32 = at_least_one(100);
        /// Answers and replies from one address ...
        answers_per_second_an_address: NonZeroU32 = at_least_one(1_000);
        /// ... and at once.
        answers_burst_an_address: NonZeroU32 = at_least_one(4_000);
        /// Polls from one address ...
        polls_per_second_an_address: NonZeroU32 = at_least_one(2_500);
        /// ... and at once: every peer behind it, a few times.
        polls_burst_an_address: NonZeroU32 = at_least_one(10_000);
        /// Addresses, and sessions, whose rates are remembered.
        rate_keys: usize = 50_000;
    }
}
