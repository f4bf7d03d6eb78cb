//! `peerctl stop`: asks the daemon to end, and returns when it has.

use std::time::Duration;

use crate::{client::Client, clock, error::Error, output::Output};

/// The daemon drains: it tells the coordinator, and brings the data that has come to the disk.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
const ASK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    client.shutdown().await?;
    let deadline = clock::now() + STOP_TIMEOUT;
    while is_there(client).await {
        if clock::now() >= deadline {
            return Err(Error::StopTimedOut);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    if output.json() {
        let document = serde_json::json!({ "schema": protocol::control::SCHEMA, "stopped": true });
        return output.document(&document.to_string());
    }
    output.line("peer-daemon has stopped")
}

/// While it drains the daemon may answer with an error, or not at all; it has ended when its socket is gone.
async fn is_there(client: &Client) -> bool {
    client.socket().exists() && !matches!(client.status().await, Err(Error::NotRunning))
}
