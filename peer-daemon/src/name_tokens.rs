//! Keeps `name_token`s over restarts, so that a daemon that crashed gets its name back at once.

use protocol::{Username, session::NameToken};
use tracing::warn;

use crate::{coordinator_link::NameTokenStore, state::State};

pub(crate) struct NameTokens {
    state: State,
}

impl NameTokens {
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    fn secret_of(username: &Username) -> String {
        format!("name_token/{}", username.comparison_key())
    }
}

impl NameTokenStore for NameTokens {
    fn load(&self, username: &Username) -> Option<NameToken> {
        let stored = self.state.secret(&Self::secret_of(username));
        let bytes = stored.inspect_err(|error| warn!(%error, "the name token can't be read")).ok()??;
        String::from_utf8(bytes.to_vec()).ok().map(NameToken::new)
    }

    fn save(&self, username: &Username, token: &NameToken) {
        if let Err(error) = self.state.put_secret(&Self::secret_of(username), token.reveal().as_bytes()) {
            warn!(%error, "the name token can't be kept; a crash would cost the name for a minute");
        }
    }
}
