//! `peerctl stop`: asks the daemon to end, and returns when it has.

use std::time::Duration;

use crate::{client::Client, clock, error::Error, output::Output, process::DaemonProcess};

/// The daemon drains: it tells the coordinator, and brings the data that has come to the disk.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
const ASK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    stop(client).await?;
    if output.json() {
        let document = serde_json::json!({ "schema": protocol::control::SCHEMA, "stopped": true });
        return output.document(&document.to_string());
    }
    output.line("peer-daemon has stopped")
}

pub(super) async fn stop(client: &Client) -> Result<(), Error> {
    let process = DaemonProcess::behind(client.socket()).await;
    client.shutdown().await?;
    let deadline = clock::now() + STOP_TIMEOUT;
    while is_there(client, process.as_ref()).await {
        if clock::now() >= deadline {
            return Err(Error::StopTimedOut);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(())
}

/// Its state is free for another daemon once its process has ended, and no sooner. Where that can't be seen: while it
/// drains it may answer with an error, or not at all; it is near its end when its socket is gone.
async fn is_there(client: &Client, process: Option<&DaemonProcess>) -> bool {
    match process {
        Some(process) => !process.has_ended(),
        None => client.socket().exists() && !matches!(client.status().await, Err(Error::NotRunning)),
    }
}
