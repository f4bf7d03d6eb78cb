//! How long things live.

use std::{ops::RangeInclusive, time::Duration};

use protocol::limits;

use super::{settings::settings, values::seconds};

settings! {
    /// How long things live. Tests shorten them.
    pub struct Lifetimes {
        /// A session lapses this long after its last poll ended: enough to lose one poll and come back.
        #[serde(with = "seconds")]
        lease ["lease_seconds"]: Duration = Duration::from_mins(1);
        /// A poll that names no wait.
        #[serde(with = "seconds")]
        wait ["wait_seconds"]: Duration = limits::WAIT_DEFAULT;
        /// The longest wait of a poll.
        #[serde(with = "seconds")]
        wait_max ["wait_seconds_max"]: Duration = limits::WAIT_MAX;
        /// From offering a search to its end.
        #[serde(with = "seconds")]
        search ["search_seconds"]: Duration = Duration::from_secs(10);
        /// How long anything of a search is kept after its end: 5 s, less half a second for the sweep.
        #[serde(with = "seconds")]
        search_grace ["search_grace_seconds"]: Duration = Duration::from_millis(4_500);
        /// Of an introduction after its last sending.
        #[serde(with = "seconds")]
        introduction ["introduction_seconds"]: Duration = Duration::from_mins(1);
        /// Of every other event in a mailbox.
        #[serde(with = "seconds")]
        event ["event_seconds"]: Duration = Duration::from_mins(1);
        /// How long a name token counts.
        #[serde(with = "seconds")]
        name_token ["name_token_seconds"]: Duration = Duration::from_hours(24);
        /// How long after the start a name token from before it outweighs a claim made without one.
        #[serde(with = "seconds")]
        takeover ["takeover_seconds"]: Duration = Duration::from_mins(2);
        /// From the first word of the end until connections are closed: polls are answered, and `readyz` says so.
        #[serde(with = "seconds")]
        drain ["drain_seconds"]: Duration = Duration::from_millis(500);
        /// Peers that are sent away by a drain come back within this long, spread.
        #[serde(with = "seconds")]
        drain_spread ["drain_spread_seconds"]: Duration = limits::RETURN_SPREAD;
        /// For a request's headers to arrive; a connection that sends nothing at all ends after it too.
        #[serde(with = "seconds")]
        headers ["headers_seconds"]: Duration = Duration::from_secs(5);
        /// For a request's body to arrive, once its headers have.
        #[serde(with = "seconds")]
        body ["body_seconds"]: Duration = Duration::from_secs(10);
        /// For an answer to be taken, once the socket is full: as long as for a body.
        #[serde(with = "seconds")]
        answer ["answer_seconds"]: Duration = Duration::from_secs(10);
        /// A connection that carried content is closed with its first answer so long after it, at the earliest ...
        #[serde(with = "seconds")]
        content_connection_min ["content_connection_seconds_min"]: Duration = Duration::from_secs(20);
        /// ... and at the latest; when exactly is random for each, so that not all come back at once. With the
        /// keep-alive time this is how long content stays in a connection's buffers: a minute.
        #[serde(with = "seconds")]
        content_connection_max ["content_connection_seconds_max"]: Duration = Duration::from_secs(50);
        /// Of a connection between two requests. A proxy has to keep its own for less time, so that none of its
        /// requests meets a connection that is just being closed.
        #[serde(with = "seconds")]
        keep_alive ["keep_alive_seconds"]: Duration = Duration::from_secs(10);
    }
}

impl Lifetimes {
    /// When a connection that carried content is closed. A minimum above the maximum counts as the maximum.
    pub(crate) fn content_connection(&self) -> RangeInclusive<Duration> {
        self.content_connection_min.min(self.content_connection_max)..=self.content_connection_max
    }
}
