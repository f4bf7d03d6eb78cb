//! The gate before connections on the download port that have not yet shown a message-key.
//!
//! The download port is open to the world and its owner starts TLS on what it accepts, so a stranger's
//! connection costs something until it is told apart from a dial-back. The gate bounds that cost, and while no
//! introduction is pending nobody has a reason to connect at all.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::limits::DIAL_FIRST_BYTES;
use thiserror::Error;
use tokio::time::{error::Elapsed, timeout};

use super::dial_rules::counted_as;

/// Connections that are being verified at a time: dial-backs come one an introduction, a few may race.
pub const UNVERIFIED_MAX: usize = 8;
/// Of these, those of one address (IPv6: one /64), so that one stranger does not take all places.
pub const UNVERIFIED_PER_ADDRESS_MAX: usize = 2;
/// Time for a connection to show its message-key.
pub const VERIFICATION_LIMIT: Duration = DIAL_FIRST_BYTES;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GateRefused {
    #[error("no introduction is pending")]
    NothingPending,
    #[error("too many connections are being verified")]
    Full,
    #[error("too many connections of this address are being verified")]
    FullForAddress,
}

/// Cheap to clone; clones share their limits.
#[derive(Debug, Clone, Default)]
pub struct ConnectionGate {
    /// A plain mutex: held for a few instructions, never over an await. The sum of all counts is at most
    /// [`UNVERIFIED_MAX`], and so is the number of entries.
    verifying: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place at the gate; given back when dropped, after the message-key was shown or the connection closed.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub struct GatePermit {
    gate: ConnectionGate,
    address: IpAddr,
}

impl ConnectionGate {
    /// `pending`: whether any introduction waits for a dial-back. Close a refused connection without a byte.
    pub fn admit(&self, from: IpAddr, pending: bool) -> Result<GatePermit, GateRefused> {
        if !pending {
            return Err(GateRefused::NothingPending);
        }
        let address = counted_as(from);
        let mut verifying = self.lock();
        if verifying.values().sum::<usize>() >= UNVERIFIED_MAX {
            return Err(GateRefused::Full);
        }
        let count = verifying.entry(address).or_default();
        if *count >= UNVERIFIED_PER_ADDRESS_MAX {
            return Err(GateRefused::FullForAddress);
        }
        *count += 1;
        drop(verifying);
        Ok(GatePermit { gate: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // No code panics between the changes of one call, so a poisoned map is whole.
        self.verifying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GatePermit {
    /// Runs the verification within `limit` ([`VERIFICATION_LIMIT`]), and gives the place back when it is over.
    pub async fn verify<F: Future>(self, limit: Duration, verification: F) -> Result<F::Output, Elapsed> {
        timeout(limit, verification).await
    }
}

impl Drop for GatePermit {
    fn drop(&mut self) {
        let mut verifying = self.gate.lock();
        if let Some(count) = verifying.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                verifying.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

    use proptest::prelude::*;

    use super::{ConnectionGate, GatePermit, GateRefused, UNVERIFIED_MAX, UNVERIFIED_PER_ADDRESS_MAX};

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, n).into()
    }

    #[test]
    fn while_nothing_is_pending_nobody_is_admitted() {
        let gate = ConnectionGate::default();
        assert_eq!(gate.admit(address(1), false).unwrap_err(), GateRefused::NothingPending);
        assert!(gate.admit(address(1), true).is_ok());
    }

    #[tokio::test]
    async fn a_silent_connection_loses_its_place_in_time() {
        let gate = ConnectionGate::default();
        let permit = gate.admit(address(1), true).unwrap();
        assert!(permit.verify(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
        assert!(gate.lock().is_empty());
    }

    proptest! {
        /// Against a list of those inside: arrivals (`Ok`) and departures (`Err`) in any order.
        #[test]
        fn the_limits_hold(steps in prop::collection::vec(prop::result::maybe_ok(0u8..6, any::<prop::sample::Index>()), 0..80)) {
            let gate = ConnectionGate::default();
            let mut inside: Vec<(u8, GatePermit)> = Vec::new();
            for step in steps {
                match step {
                    Err(_) if inside.is_empty() => {}
                    Err(index) => drop(inside.swap_remove(index.index(inside.len()))),
                    Ok(n) => {
                        let same = inside.iter().filter(|(other, _)| *other == n).count();
                        let expected = if inside.len() >= UNVERIFIED_MAX {
                            Some(GateRefused::Full)
                        } else if same >= UNVERIFIED_PER_ADDRESS_MAX {
                            Some(GateRefused::FullForAddress)
                        } else {
                            None
                        };
                        let admitted = gate.admit(address(n), true);
                        prop_assert_eq!(admitted.as_ref().err(), expected.as_ref());
                        inside.extend(admitted.ok().map(|permit| (n, permit)));
                    }
                }
            }
            inside.clear();
            prop_assert!(gate.lock().is_empty());
        }
    }
}
