//! Keeps the identity of the username in use: made when the name is taken, stored, renewed daily.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{IntroductionId, Username, introduction::Sealed};
use thiserror::Error;
use tokio::sync::watch;

use super::{
    identity::{Identities, Identity, IdentityError},
    seal::{self, OpenError, Opened},
};
use crate::{
    clock,
    searches::AnswerKeys,
    state::{State, StateError},
};

/// The identity's name in the state's secrets.
const SECRET: &str = "identity";

#[derive(Debug, Error)]
pub enum KeeperError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    State(#[from] StateError),
}

/// Clones share the identity.
#[derive(Clone)]
pub struct IdentityKeeper {
    shared: Arc<Shared>,
}

struct Shared {
    state: State,
    identities: Mutex<Option<Identities>>,
    keys: watch::Sender<Option<AnswerKeys>>,
}

impl IdentityKeeper {
    pub fn new(state: State) -> Self {
        let shared = Shared { state, identities: Mutex::new(None), keys: watch::Sender::new(None) };
        Self { shared: Arc::new(shared) }
    }

    /// Takes up the identity of this username: the stored one, or a new one. Blocks for a write to the disk.
    pub fn use_name(&self, username: &Username) -> Result<(), KeeperError> {
        let mut held = self.lock();
        if held.as_ref().is_some_and(|identities| identities.username() == username) {
            return Ok(());
        }
        let stored = self.shared.state.secret(SECRET)?;
        let identities = Identities::load_or_generate(
            stored.as_ref().map(|bytes| bytes.as_slice()),
            username,
            clock::wall(),
        )?;
        self.publish(&identities)?;
        *held = Some(identities);
        Ok(())
    }

    /// To be called now and then: a day-old identity is replaced. Blocks for a write to the disk.
    pub fn rotate_if_due(&self) -> Result<(), KeeperError> {
        let mut held = self.lock();
        if let Some(identities) = held.as_mut()
            && identities.rotate_if_due(clock::wall())?
        {
            self.publish(identities)?;
        }
        Ok(())
    }

    /// `None` before a username was taken up.
    pub fn current(&self) -> Option<(Username, Arc<Identity>)> {
        let held = self.lock();
        held.as_ref().map(|identities| (identities.username().clone(), identities.current().clone()))
    }

    /// Opens what was sealed to the current or the previous identity; without one, nothing was sealed to us.
    pub fn open(
        &self,
        sealed: &Sealed,
        id: IntroductionId,
        requester: &Username,
    ) -> Result<Opened, OpenError> {
        let held = self.lock();
        let identities = held.as_ref().ok_or(OpenError::NotForUs)?;
        seal::open(identities, sealed, id, requester)
    }

    /// What answers tell of the current identity.
    pub fn answer_keys(&self) -> watch::Receiver<Option<AnswerKeys>> {
        self.shared.keys.subscribe()
    }

    fn publish(&self, identities: &Identities) -> Result<(), KeeperError> {
        self.shared.state.put_secret(SECRET, &identities.to_bytes())?;
        let current = identities.current();
        self.shared.keys.send_replace(Some(AnswerKeys {
            reply_key: current.reply_key(),
            certificate_sha256: current.certificate_sha256(),
        }));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Identities>> {
        self.shared.identities.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
