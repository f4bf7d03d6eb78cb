//! The one place from which this peer dials others: rules, budget and source port together.

use std::{
    net::{IpAddr, SocketAddr},
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

/// How long a dial waits until it is known where the coordinator is. It has answered before anything comes from it.
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
    /// Where the coordinator answered last: no nearer address is dialled. Not what its name leads to, for whoever
    /// decides that could have this peer dial into its own network.
    coordinator: watch::Receiver<Option<IpAddr>>,
    allow: Vec<IpNet>,
    budget: Mutex<DialBudget>,
}

impl Dialler {
    pub(crate) fn new(
        source_port: u16,
        coordinator: watch::Receiver<Option<IpAddr>>,
        allow: Vec<IpNet>,
    ) -> Self {
        Self { source_port, coordinator, allow, budget: Mutex::default() }
    }

    /// Dials once. The ticket counts against the address until the stream is [established](Self::established).
    pub(crate) async fn dial(&self, to: SocketAddr) -> Result<(TcpStream, DialTicket), DialFailed> {
        let rules = self.rules().await;
        rules.permits(to).map_err(DialError::from)?;
        let ticket = lock(&self.budget).take(to.ip(), clock::now())?;
        let stream = dial(to, Some(self.source_port), &rules, DIAL_CONNECT).await?;
        Ok((stream, ticket))
    }

    /// Where it does not become known where the coordinator is, only global addresses are dialled.
    async fn rules(&self) -> DialRules {
        let mut coordinator = self.coordinator.clone();
        let known = timeout(SCOPE_WAIT, coordinator.wait_for(Option::is_some)).await;
        let known = known.ok().and_then(|known| *known.ok()?);
        let coordinator_scope = known.and_then(Scope::of).unwrap_or(Scope::Global);
        DialRules { coordinator_scope, allow: self.allow.clone() }
    }

    /// The address was right: its dial does not count.
    pub(crate) fn established(&self, ticket: &DialTicket) {
        lock(&self.budget).forgive(ticket);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::peer_stream::dial_rules::DialRefused;

    #[tokio::test]
    async fn what_is_nearer_than_the_coordinator_answers_from_is_not_dialled() {
        let reached = watch::Sender::new(None);
        let dialler = Dialler::new(0, reached.subscribe(), Vec::new());
        let to = (Ipv4Addr::LOCALHOST, 4_821).into();
        let narrower = Err(DialRefused::Narrower);
        for (coordinator, expected) in
            [([127, 0, 0, 1], Ok(())), ([10, 0, 0, 1], narrower), ([9, 9, 9, 9], narrower)]
        {
            reached.send_replace(Some(coordinator.into()));
            assert_eq!(dialler.rules().await.permits(to), expected, "{coordinator:?}");
        }
    }
}
