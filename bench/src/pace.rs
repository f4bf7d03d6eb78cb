//! How often is searched, and for how long connections that carried content live by that.
//!
//! Both times go together, so that a measurement with a search every 1.5 s has as many connections that end to a search
//! as one with a search every 5 s: connections that carried content end after 20 to 50 s then, as the coordinator ends
//! them unless it is told otherwise.
//!
//! All connections begin within a moment here, with a claim of a name, and each ends once for that. The searches that
//! count begin after it: what follows from a claim is told by itself, and not as a part of what a search costs.

use std::{ops::RangeInclusive, time::Duration};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) searches: u32,
    pub(crate) interval: Duration,
}

impl Pace {
    /// How long peers are left alone before the first search.
    pub(crate) fn idle(self) -> Duration {
        self.interval * 5 / 2
    }

    /// How long a connection that carried content lives.
    pub(crate) fn connection(self) -> RangeInclusive<Duration> {
        self.interval * 4..=self.interval * 10
    }

    /// By then each connection of the beginning has ended; the coordinator gives answers that end one some time more.
    pub(crate) fn turnover(self) -> Duration {
        self.interval * 11
    }

    /// The coordinator's configuration for it.
    pub(crate) fn lifetimes(self) -> String {
        let (least, most) = self.connection().into_inner();
        format!(
            "lifetimes.content_connection_seconds_min = {}\nlifetimes.content_connection_seconds_max = {}\n",
            least.as_secs_f64(),
            most.as_secs_f64()
        )
    }
}
