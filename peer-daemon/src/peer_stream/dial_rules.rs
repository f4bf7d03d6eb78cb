//! Which addresses are dialled.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use thiserror::Error;

/// How far an address reaches, narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Loopback,
    LinkLocal,
    Private,
    Global,
}

impl Scope {
    /// `None` for what is never dialled.
    pub fn of(_address: IpAddr) -> Option<Self> {
        todo!()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DialRefused {
    #[error("ports under 1024 are never dialled")]
    Port,
    #[error("addresses of this kind are never dialled")]
    Never,
    #[error("the address is in a narrower network than the coordinator's; dial_allow can add it")]
    Narrower,
}

#[derive(Debug, Clone)]
pub struct DialRules {
    pub coordinator_scope: Scope,
    pub allow: Vec<IpNet>,
}

impl DialRules {
    pub fn permits(&self, _to: SocketAddr) -> Result<(), DialRefused> {
        todo!()
    }
}

/// The address has had its dials for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the address was dialled too often in vain; next try in {} s", retry_after.as_secs())]
pub struct BudgetSpent {
    pub retry_after: Duration,
}

/// Counts dials that ended without an established stream, an address.
#[derive(Debug, Default)]
pub struct DialBudget {}

/// One dial that counts until it is [`DialBudget::forgive`]n.
#[derive(Debug)]
pub struct DialTicket {}

impl DialBudget {
    /// Counts a dial that is about to be made.
    pub fn take(&mut self, _to: IpAddr, _now: Instant) -> Result<DialTicket, BudgetSpent> {
        todo!()
    }
    /// The dial led to an established stream and does not count.
    pub fn forgive(&mut self, _ticket: DialTicket) {
        todo!()
    }
}
