//! The one place from which this peer dials others: rules, budget and source port together.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use protocol::limits::DIAL_CONNECT;
use thiserror::Error;
use tokio::net::TcpStream;

use crate::{
    clock,
    peer_stream::{
        dial::{DialError, dial},
        dial_rules::{BudgetSpent, DialBudget, DialRules, DialTicket, Scope},
    },
};

#[derive(Debug, Error)]
pub(crate) enum DialFailed {
    #[error(transparent)]
    Budget(#[from] BudgetSpent),
    #[error(transparent)]
    Dial(#[from] DialError),
}

#[derive(Debug)]
pub(crate) struct Dialler {
    /// Dials leave from the upload port, where the system allows.
    source_port: u16,
    rules: Mutex<DialRules>,
    budget: Mutex<DialBudget>,
}

impl Dialler {
    /// Until the coordinator's scope is known, only global addresses are dialled.
    pub(crate) fn new(source_port: u16, allow: Vec<ipnet::IpNet>) -> Self {
        let rules = DialRules { coordinator_scope: Scope::Global, allow };
        Self { source_port, rules: Mutex::new(rules), budget: Mutex::default() }
    }

    /// How near the coordinator is, as this daemon reaches it: no nearer address is dialled.
    pub(crate) fn set_coordinator_scope(&self, scope: Scope) {
        lock(&self.rules).coordinator_scope = scope;
    }

    /// Dials once. The ticket counts against the address until the stream is [established](Self::established).
    pub(crate) async fn dial(&self, to: SocketAddr) -> Result<(TcpStream, DialTicket), DialFailed> {
        let rules = lock(&self.rules).clone();
        rules.permits(to).map_err(DialError::from)?;
        let ticket = lock(&self.budget).take(to.ip(), clock::now())?;
        let stream = dial(to, Some(self.source_port), &rules, DIAL_CONNECT).await?;
        Ok((stream, ticket))
    }

    /// The address was right: its dial does not count.
    pub(crate) fn established(&self, ticket: &DialTicket) {
        lock(&self.budget).forgive(ticket);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
