//! `peerctl wait ID...`.

use std::time::Duration;

use super::follow::follow;
use crate::{cli::Id, client::Client, clock, error::Error, output::Output};

pub(super) async fn run(
    client: &Client,
    ids: Vec<Id>,
    timeout: Option<u64>,
    output: &Output,
) -> Result<(), Error> {
    // A time beyond what the clock can tell is as good as none.
    let deadline = timeout.and_then(|seconds| clock::now().checked_add(Duration::from_secs(seconds)));
    follow(client, ids.iter().map(|id| id.as_str().to_owned()).collect(), deadline, output).await
}
