//! The one place from which this peer dials others: rules, budget and source port together.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use protocol::limits::DIAL_CONNECT;
use thiserror::Error;
use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{
    clock,
    peer_stream::{
        dial::{DialError, dial},
        dial_rules::{BudgetSpent, DialBudget, DialRules, DialTicket, Scope},
    },
};

/// How long a dial waits until it is known how near the coordinator is: the first introductions may be faster
/// than the look-up of its name.
const SCOPE_WAIT: Duration = Duration::from_secs(5);

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
    /// How near the coordinator is, once that is known.
    coordinator_scope: watch::Sender<Option<Scope>>,
    allow: Vec<IpNet>,
    budget: Mutex<DialBudget>,
}

impl Dialler {
    pub(crate) fn new(source_port: u16, allow: Vec<IpNet>) -> Self {
        let coordinator_scope = watch::Sender::new(None);
        Self { source_port, coordinator_scope, allow, budget: Mutex::default() }
    }

    /// How near the coordinator is, as this daemon reaches it: no nearer address is dialled.
    pub(crate) fn set_coordinator_scope(&self, scope: Scope) {
        self.coordinator_scope.send_replace(Some(scope));
    }

    /// Dials once. The ticket counts against the address until the stream is [established](Self::established).
    pub(crate) async fn dial(&self, to: SocketAddr) -> Result<(TcpStream, DialTicket), DialFailed> {
        let rules = self.rules().await;
        rules.permits(to).map_err(DialError::from)?;
        let ticket = lock(&self.budget).take(to.ip(), clock::now())?;
        let stream = dial(to, Some(self.source_port), &rules, DIAL_CONNECT).await?;
        Ok((stream, ticket))
    }

    /// Where the coordinator's scope does not become known, only global addresses are dialled.
    async fn rules(&self) -> DialRules {
        let mut scope = self.coordinator_scope.subscribe();
        let known = timeout(SCOPE_WAIT, scope.wait_for(Option::is_some)).await;
        let known = known.ok().and_then(|known| *known.ok()?);
        DialRules { coordinator_scope: known.unwrap_or(Scope::Global), allow: self.allow.clone() }
    }

    /// The address was right: its dial does not count.
    pub(crate) fn established(&self, ticket: &DialTicket) {
        lock(&self.budget).forgive(ticket);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
