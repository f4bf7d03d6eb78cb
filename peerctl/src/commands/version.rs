//! `peerctl version`: of both programs, since they can differ after an update.

use protocol::VERSION;

use crate::{client::Client, error::Error, output::Output};

const OWN: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn run(client: &Client, output: &Output) -> Result<(), Error> {
    let daemon = match client.status().await {
        Ok(reply) => Some(reply.value),
        Err(Error::NotRunning) => None,
        Err(error) => return Err(error),
    };
    if output.json() {
        let daemon = daemon.map(|status| {
            serde_json::json!({ "version": status.version, "protocol_version": status.protocol_version })
        });
        let document = serde_json::json!({
            "schema": protocol::control::SCHEMA, "version": OWN, "protocol_version": VERSION, "daemon": daemon,
        });
        return output.document(&document.to_string());
    }
    output.line(&format!("peerctl {OWN} (protocol {VERSION})"))?;
    match daemon {
        Some(status) => {
            output.line(&format!("peer-daemon {} (protocol {})", status.version, status.protocol_version))
        }
        None => output.line("peer-daemon is not running"),
    }
}
