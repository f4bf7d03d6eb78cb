//! How often is searched, and for how long connections that carried content live by that.
//!
//! What a search costs has in it the connections that are closed because of earlier ones, and how many those are depends
//! on how many searches a connection lives to hear. So both times go together: with a search every 5 s, connections end
//! after 20 to 50 s, as the coordinator ends them unless it is told otherwise; with one every 2 s, after 8 to 20 s, and
//! a search costs the same then.
//!
//! All connections begin within a moment here, and none of them ends before 4 intervals or after 10 (and wait for the
//! answer that they end with). Searches that are counted begin after 2.5 intervals, so that 8 of them see each
//! connection end about once: as many ends a search as there are when connections are of all ages.

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
