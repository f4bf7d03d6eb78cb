//! Numbers for the operator. They have no labels, so nothing in them can name anyone, and there are never more of
//! them than here.

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{domain::Counts, process::Usage};

/// What [`Metrics::encode`] writes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) struct Metrics {
    registry: Registry,
    sessions: Gauge,
    parked_polls: Gauge,
    searches: Gauge,
    introductions: Gauge,
    mail: Gauge,
    refused: Counter,
    connects: Counter,
    searches_opened: Counter,
    answers: Counter,
    introductions_sent: Counter,
    batches: Counter,
    resident_memory: Gauge,
    open_files_max: Gauge,
    connections: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("hearsay");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            ours.register(name, help, counter.clone());
            counter
        };
        let refused = counter("refused", "Calls that were over a limit");
        let connects = counter("connects", "Connects and renewals");
        let searches_opened = counter("searches_opened", "Searches that were offered to all");
        let answers = counter("answers", "Answers to searches");
        let introductions_sent = counter("introductions_sent", "Introductions, sent or sent again");
        let batches = counter("batches", "Polls that heard something");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            ours.register(name, help, gauge.clone());
            gauge
        };
        let sessions = gauge("sessions", "Connected sessions");
        let parked_polls = gauge("parked_polls", "Polls that wait for an event");
        let searches = gauge("searches", "Searches that run or ended a moment ago");
        let introductions = gauge("introductions", "Introductions of the last minute");
        let connections = gauge("connections", "Open connections of peers, or of the proxy before them");
        let [mail, resident_memory, open_files_max] = [(); 3].map(|()| Gauge::default());
        ours.register_with_unit("mail", "Events in all mailboxes", Unit::Bytes, mail.clone());
        registry.register_with_unit(
            "process_resident_memory",
            "Memory in use",
            Unit::Bytes,
            resident_memory.clone(),
        );
        registry.register(
            "process_max_fds",
            "How many files and connections can be open",
            open_files_max.clone(),
        );
        Self {
            registry,
            sessions,
            parked_polls,
            searches,
            introductions,
            mail,
            refused,
            connects,
            searches_opened,
            answers,
            introductions_sent,
            batches,
            resident_memory,
            open_files_max,
            connections,
        }
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }

    pub(crate) fn connect(&self) {
        self.connects.inc();
    }

    pub(crate) fn search(&self) {
        self.searches_opened.inc();
    }

    pub(crate) fn answer(&self) {
        self.answers.inc();
    }

    pub(crate) fn introduction(&self) {
        self.introductions_sent.inc();
    }

    pub(crate) fn batch(&self) {
        self.batches.inc();
    }

    /// What counts open connections: up when one is accepted, down when it ends.
    pub(crate) fn connections(&self) -> Gauge {
        self.connections.clone()
    }

    /// All of them as OpenMetrics text, with what is so just now.
    pub(crate) fn encode(&self, counts: &Counts, usage: &Usage) -> String {
        for (gauge, value) in [
            (&self.sessions, counts.sessions as u64),
            (&self.parked_polls, counts.live_polls as u64),
            (&self.searches, counts.searches as u64),
            (&self.introductions, counts.introductions as u64),
            (&self.mail, counts.mail_bytes as u64),
            (&self.resident_memory, usage.resident_bytes),
            (&self.open_files_max, usage.open_files_max),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut encoded = String::new();
        // Writing to a string can't fail.
        let _ = text::encode(&mut encoded, &self.registry);
        encoded
    }
}
