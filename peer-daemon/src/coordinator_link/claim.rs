//! Claiming a username: once, by whoever asks. Holding it is the keeper's.

use protocol::{
    Code, SessionToken, Username,
    session::{ConnectRequest, ConnectResponse, NameToken},
};
use zeroize::Zeroizing;

use super::{
    client::{Client, Failure},
    config::Timings,
    session::Names,
};

/// A username that is sought or held, with what proves it ours.
pub(super) struct Claim {
    pub(super) username: Username,
    /// Stays the same until the session is known to have lapsed: an attempt whose response was lost made a
    /// session all the same, and only this token is let into it.
    pub(super) token: SessionToken,
    pub(super) name_token: Option<NameToken>,
}

/// Makes claims. It has nothing of the session that is held, so a second name can be claimed beside it.
#[derive(Clone)]
pub(super) struct Claimer {
    pub(super) client: Client,
    pub(super) names: Names,
    pub(super) join_key: Option<Zeroizing<String>>,
    pub(super) timings: Timings,
}

impl Claimer {
    pub(super) async fn claim(&self, username: Username) -> Claim {
        let name_token = self.names.load(&username).await;
        Claim { username, token: SessionToken::random(), name_token }
    }

    /// Claims the username once; without the `name_token` if the coordinator has lost the key to it.
    pub(super) async fn attempt(&self, claim: &mut Claim) -> Result<ConnectResponse, Failure> {
        let mut request = ConnectRequest::new(&claim.username, claim.token.clone(), claim.name_token.clone());
        request.join_key = self.join_key.as_ref().map(|key| key.as_str().to_owned());
        let result = self.client.connect(&request, self.timings.attempt).await;
        let is_stale = matches!(&result, Err(failure) if failure.code() == Some(Code::NameTokenInvalid));
        if is_stale && claim.name_token.take().is_some() {
            request.name_token = None;
            return self.client.connect(&request, self.timings.attempt).await;
        }
        result
    }

    /// Claims a username beside the one that is held. Of a failed claim nothing stays at the coordinator, as
    /// far as that is in our hands.
    pub(super) async fn claim_beside(
        &self,
        held: &Username,
        username: Username,
    ) -> (Claim, Result<ConnectResponse, Failure>) {
        // The held name in other letters is the same name, and ours by the same token.
        let is_same = held.comparison_key() == username.comparison_key();
        let mut claim = self.claim(username).await;
        if is_same {
            claim.name_token = self.names.load(held).await;
        }
        let result = self.attempt(&mut claim).await;
        if let Err(Failure::Unreachable(_)) = &result {
            // The response may have been lost, and then there is a session that nobody polls.
            let _lapses_otherwise = self.client.disconnect(&claim.token, self.timings.farewell).await;
        }
        (claim, result)
    }
}
