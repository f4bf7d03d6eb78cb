//! Reading the configuration again while the server runs: what can change does, and what can't is told.
//!
//! What was given out before keeps its old time: a search that runs ends when it was to end, and a rate that
//! changed counts from the next call on.

use std::sync::Arc;

use actix_web::web;
use toml::Table;

use crate::{app::App, clock, config::Config, exchange::memory::MemoryExchange, rules::rules};

/// Settings that are read once, when the server is bound: addresses, keys, threads, and what the HTTP library is
/// told at its start.
const NEED_RESTART: [&str; 15] = [
    "listen",
    "listen_mode",
    "ops_listen",
    "key_file",
    "ready_file",
    "workers",
    "lifetimes.takeover_seconds",
    "lifetimes.headers_seconds",
    "lifetimes.answer_seconds",
    "lifetimes.keep_alive_seconds",
    "limits.body_bytes",
    "limits.connect_body_bytes",
    "limits.connections_a_worker",
    "limits.backlog",
    "limits.rate_keys",
];

/// Changes a running server.
#[derive(Clone)]
pub struct Reloader {
    pub(crate) app: web::Data<App>,
    pub(crate) exchange: Arc<MemoryExchange>,
    /// What the server was bound with.
    pub(crate) bound: Arc<Config>,
}

impl Reloader {
    /// Puts a configuration in force; tells which of its settings wait for a restart.
    pub fn apply(&self, new: Config) -> Vec<&'static str> {
        let changed = changed(&self.bound, &new);
        // The time of the takeover began with the server.
        let mut rules = rules(&new, clock::now());
        rules.sessions.takeover_until = None;
        self.exchange.change_rules(rules);
        self.app.limiter.change(&new.limits);
        self.app.replace_config(new);
        changed
    }
}

fn changed(old: &Config, new: &Config) -> Vec<&'static str> {
    // Serialising settings of strings and numbers can't fail; nothing would be told then.
    let tables = [old, new].map(|config| Table::try_from(config).unwrap_or_default());
    let [old, new] = tables.each_ref();
    NEED_RESTART.into_iter().filter(|key| value(old, key) != value(new, key)).collect()
}

fn value<'a>(table: &'a Table, key: &str) -> Option<&'a toml::Value> {
    match key.split_once('.') {
        Some((section, key)) => table.get(section)?.get(key),
        None => table.get(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_needs_a_restart_is_one() {
        let with_all = Config {
            ops_listen: Some("127.0.0.1:1".parse().unwrap()),
            key_file: Some("key".into()),
            ready_file: Some("ready".into()),
            ..Config::default()
        };
        let table = Table::try_from(&with_all).unwrap();
        for key in NEED_RESTART {
            assert!(value(&table, key).is_some(), "there is no setting {key}");
        }
    }

    #[test]
    fn only_what_differs_and_can_not_change_is_told() {
        let old = Config::default();
        let mut new = old.clone();
        new.limits.searches = 7;
        new.limits.backlog = 7;
        new.listen = "unix:/run/elsewhere".parse().unwrap();
        assert_eq!(changed(&old, &new), ["listen", "limits.backlog"]);
        assert_eq!(changed(&old, &old.clone()), [""; 0]);
    }
}
