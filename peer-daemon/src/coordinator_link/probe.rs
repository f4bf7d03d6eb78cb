//! Is somebody there, what time is it, and could this peer connect? Asked beside the session, or before there is
//! one, by whoever looks for what is wrong.

use std::time::SystemTime;

use protocol::{SessionToken, Username, session::ConnectRequest};

use super::{
    ConnectError, CoordinatorLink, LinkConfig, LinkConfigError, Timings,
    client::{Client, Failure},
};

impl CoordinatorLink {
    /// The coordinator's time, where it tells one; or why nobody answers, in a sentence.
    pub async fn probe(&self) -> Result<Option<SystemTime>, String> {
        let timeout = self.shared.timings.attempt;
        self.shared.client.probe(timeout).await.map_err(why_not)
    }
}

/// The same where there is no link.
pub async fn probe(config: &LinkConfig) -> Result<Result<Option<SystemTime>, String>, LinkConfigError> {
    Ok(Client::new(config)?.probe(config.timings.attempt).await.map_err(why_not))
}

fn why_not(failure: Failure) -> String {
    match failure {
        Failure::Unreachable(sentence) => sentence,
        Failure::Refused { problem, .. } => format!("it says: {}", problem.title),
    }
}

/// Whether somebody answers, and whether this username can be had right now: it is taken for a moment, and let go.
pub async fn could_connect(
    config: &LinkConfig,
    username: Option<&Username>,
) -> Result<Result<(), ConnectError>, LinkConfigError> {
    let (client, timings) = (Client::new(config)?, &config.timings);
    Ok(rehearse(&client, timings, config, username).await.map_err(ConnectError::from))
}

async fn rehearse(
    client: &Client,
    timings: &Timings,
    config: &LinkConfig,
    username: Option<&Username>,
) -> Result<(), Failure> {
    client.probe(timings.attempt).await?;
    let Some(username) = username else { return Ok(()) };
    let token = SessionToken::random();
    let mut request = ConnectRequest::new(username, token.clone(), None);
    request.join_key = config.join_key.as_ref().map(|key| key.as_str().to_owned());
    client.connect(&request, timings.attempt).await?;
    // It lapses by itself if this does not arrive.
    let _lapses = client.disconnect(&token, timings.farewell).await;
    Ok(())
}
